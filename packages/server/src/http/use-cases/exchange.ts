import type { Grant } from "@pkce/protocol"
import { PkceError } from "../../errors.js"
import type { Provider } from "../../provider/types.js"
import { networkOf } from "../address.js"
import type { Rooms } from "../rooms.js"
import type { exchangeRequest, Parsed } from "../schemas.js"
import { chooseProvider } from "./choose-provider.js"
import { afterFailure, createCodeRedemption } from "./code-redemption.js"
import { type Caller, checkBinding, createSessionOpener, type Opening } from "./open-session.js"

export type Exchange = Parsed<typeof exchangeRequest>

/** The request with where it came from, which no client can claim: `exchangeRequest` knows no `ip`. */
type Login = Omit<Exchange, "device"> & { device?: Exchange["device"] & { ip?: string } }

/**
 * Redeems an authorization code for a session of our own (RFC 6749 section 4.1.3, RFC 7636 section 4.5). One call of the
 * provider and two of the store; an identical repeat gets the identical session, whatever was lost on the way.
 */
export function createExchange(rooms: Rooms, pause?: (milliseconds: number) => Promise<void>) {
  const { providers, store, emit } = rooms
  const redeemOnce = createCodeRedemption(rooms, pause)
  const { open, repeat } = createSessionOpener(rooms)

  return async (request: Exchange, caller: Caller = {}): Promise<Grant> => {
    const ip = networkOf(caller.clientAddress)
    const input: Login = ip === null ? request : { ...request, device: { ...request.device, ip } }
    const provider = chooseProvider(providers, input.provider)
    // C5: before anything else, so that a code sent from a foreign place never reaches the provider.
    if (!provider.allowsRedirectUri(input.redirect_uri)) throw new PkceError("redirect_uri_not_allowed")
    // C7
    if (input.nonce === undefined && !provider.nonceOptional)
      throw new PkceError("invalid_request", { description: "Missing or malformed: nonce." })
    checkBinding(input, caller)
    try {
      // B5, on our side of the wire too: a code of another issuer must not be spent here.
      await provider.checkCallbackIssuer(input.iss)
      return await attempt(provider, input, caller)
    } catch (error) {
      if (error instanceof PkceError && error.code === "login_failed")
        await tellFailure(provider, input, error)
      throw error
    }
  }

  function attempt(provider: Provider, input: Login, caller: Caller): Promise<Grant> {
    const openingOf = ({ sid, kid }: { sid: string; kid: string }): Opening => ({
      sid,
      kid,
      code: input.code,
      codeVerifier: input.code_verifier,
      challenge: input.session_challenge,
      bound: input.bind !== undefined,
      cookies: caller.cookies,
    })
    return redeemOnce<Grant>({
      code: input.code,
      identifying: [
        provider.id,
        input.code,
        input.code_verifier,
        input.redirect_uri,
        input.nonce,
        input.iss,
        input.session_challenge,
        input.bind,
      ],
      async redeem(claim) {
        const identity = await provider
          .redeem({
            code: input.code,
            codeVerifier: input.code_verifier,
            redirectUri: input.redirect_uri,
            ...(input.nonce !== undefined && { nonce: input.nonce }),
          })
          .catch(async (thrown: unknown) => {
            throw await afterFailure(claim, thrown)
          })
        return open({
          provider: provider.id,
          identity,
          device: input.device ?? {},
          deadline: claim.deadline,
          ...openingOf(claim),
        })
      },
      async find(record) {
        const { row, now } = await store.find(record.sid)
        return row ? { result: await repeat(openingOf(record), row, now) } : { now }
      },
    })
  }

  async function tellFailure(provider: Provider, input: Login, error: PkceError): Promise<void> {
    const replay = error.reason === "code_replay"
    emit({
      type: replay ? "auth.exchange.code_replay" : "auth.exchange.failed",
      provider: provider.id,
      error_id: error.errorId,
      code_fp: await rooms.fingerprint(input.code),
      ...(error.reason !== undefined && { reason: error.reason }),
    })
  }
}
