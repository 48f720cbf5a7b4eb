import { sameText } from "#crypto"
import type { HostedConfig } from "../../config/config.js"
import { PkceError } from "../../errors.js"
import type { Found, LoginRecords, StartedLogin } from "../../hosted/records.js"
import { HANDOFF_LIFETIME } from "../../hosted/records.js"
import { answerOf, type Returned } from "../../hosted/return-url.js"
import { type FlowSecrets, type HostedSecrets, loginOfState, userCode } from "../../hosted/secrets.js"
import type { Provider } from "../../provider/types.js"
import { createFloodLimit } from "../flood-limit.js"
import type { Rooms } from "../rooms.js"
import { afterFailure, createCodeRedemption } from "./code-redemption.js"

/** What the browser is to be shown, or sent to. */
export type Leg =
  | { leg: "confirm"; login: StartedLogin; provider: string; code: string; token: string }
  | { leg: "provider"; login: StartedLogin; provider: string; url: string }
  | { leg: "back"; login: StartedLogin; answer: ReturnType<typeof answerOf>; errorId?: string }

/** The parameters of a callback, each at most once (RFC 6749 section 3.1). */
export type CallbackParameters = Partial<Record<"code" | "state" | "iss" | "error", string>>

type CookieOf = (loginId: string) => string | undefined

/** A request of the browser: its flow cookie, and where it came from. */
export interface Visit {
  cookie: string
  address: string | undefined
}

/** Another browser came back before this one: the login is that one's, and goes on. */
const TAKEN = "returned_before"

/**
 * Whether the login has failed for this browser. A login's id is no secret: who comes with an error in a browser of their own
 * ends it there, and the honest one goes on. A poll has one answer, whoever gave it.
 */
const hasFailed = ({ failed, delivery }: StartedLogin, { nonce }: FlowSecrets) =>
  failed !== undefined && (delivery === "poll" || sameText(failed.nonce, nonce))

const refused = (reason: string) => new PkceError("login_failed", { reason })
const malformed = () => new PkceError("invalid_request", { reason: "callback_malformed" })

/** The browser's way through a hosted login. A login that is not there, or not this browser's, changes nothing. */
export function createHostedBrowser(
  rooms: Rooms,
  hosted: HostedConfig,
  records: LoginRecords,
  secrets: HostedSecrets,
) {
  const { providers, emit } = rooms
  const redeemOnce = createCodeRedemption(rooms)
  const redirectUri = `${hosted.url}/callback`
  // One login is opened as often as anybody likes, and each time may be a call of the provider. A person reloads.
  const limit = createFloodLimit(rooms.config, 2)

  async function find(loginId: string): Promise<Found<StartedLogin>> {
    const found = await records.started.find(loginId)
    if (!found) throw new PkceError("login_expired")
    return found
  }

  function providerOf({ provider }: StartedLogin): Provider {
    const found = providers.get(provider)
    // Taken out of the configuration since.
    if (!found) throw new PkceError("login_expired")
    return found
  }

  const hostOf = ({ issuer }: Provider) => new URL(issuer).host

  async function toProvider(
    login: StartedLogin,
    { state, nonce, codeVerifier }: FlowSecrets,
    address: string | undefined,
  ): Promise<Leg> {
    limit(address)
    const provider = providerOf(login)
    const url = await provider.authorizationUrl({
      redirectUri,
      state,
      nonce,
      codeChallenge: await secrets.challengeOf(codeVerifier),
      ...(login.loginHint !== undefined && { loginHint: login.loginHint }),
      ...(login.uiLocales !== undefined && { uiLocales: login.uiLocales }),
    })
    return { leg: "provider", login, provider: hostOf(provider), url }
  }

  function back(login: StartedLogin, returned: Returned, errorId?: string): Leg {
    const answer = answerOf(returned, login.state, hosted.url)
    return { leg: "back", login, answer, ...(errorId !== undefined && { errorId }) }
  }

  /** The user comes back without a code, or with one that is worth nothing: the app is told, and the login is over. */
  async function fail(
    loginId: string,
    found: Found<StartedLogin>,
    { nonce }: FlowSecrets,
    error: "access_denied" | "server_error",
    cause: PkceError,
  ): Promise<Leg> {
    await records.started.replace(loginId, found, { ...found.login, failed: { error, nonce } })
    emit({
      type: "auth.hosted.failed",
      provider: found.login.provider,
      error_id: cause.errorId,
      ...(cause.reason !== undefined && { reason: cause.reason }),
    })
    return back(found.login, { error }, cause.errorId)
  }

  /** The code becomes a user, once; the tokens wait, sealed, for the app (J4). */
  async function takeCode(
    loginId: string,
    login: StartedLogin,
    code: string,
    { state, nonce, codeVerifier }: FlowSecrets,
  ): Promise<void> {
    const provider = providerOf(login)
    await redeemOnce<void>({
      code,
      identifying: [provider.id, code, state],
      async redeem(claim) {
        const identity = await provider
          .redeem({ code, redirectUri, nonce, codeVerifier })
          .catch(async (thrown: unknown) => {
            throw await afterFailure(claim, thrown)
          })
        const { sid, kid } = claim
        const { delivery, challenge, device } = login
        const deadline = claim.deadline + HANDOFF_LIFETIME
        await records.returned.add(loginId, {
          ...{ provider: provider.id, delivery, challenge, device },
          ...{ kid, sid, nonce, identity, deadline },
        })
      },
      find: async (_, now) => ((await records.returned.find(loginId)) ? { result: undefined } : { now }),
    })
  }

  /** The login that a callback belongs to, and proof that it comes from the browser that was sent to the provider for it. */
  async function identify({ state = "", iss }: CallbackParameters, cookieOf: CookieOf) {
    const loginId = loginOfState(state)
    if (loginId === null) throw malformed()
    const found = await find(loginId)
    const cookie = cookieOf(loginId)
    const flow = cookie === undefined ? null : await secrets.flow(found.login.kid, loginId, cookie)
    // B11: another browser's callback is somebody's who was tricked into finishing what an attacker began, or the reverse.
    if (!flow || !sameText(flow.state, state))
      throw new PkceError("invalid_request", { reason: "browser_mismatch" })
    // B5, RFC 9207: what another provider says, an error included, says nothing about this login.
    await providerOf(found.login).checkCallbackIssuer(iss)
    return { loginId, found, flow }
  }

  /** The handoff, for the browser that came back first, again at every reload; `null` before that. */
  async function handedOver(loginId: string, login: StartedLogin, flow: FlowSecrets): Promise<Leg | null> {
    const returned = await records.returned.find(loginId)
    if (!returned) return null
    if (!sameText(returned.login.nonce, flow.nonce)) throw refused(TAKEN)
    return back(login, { handoff: await secrets.handoff(login.kid, loginId) })
  }

  return {
    /** `GET /login/{login_id}` */
    async open(loginId: string, { cookie, address }: Visit): Promise<Leg> {
      const { login } = await find(loginId)
      const flow = await secrets.flow(login.kid, loginId, cookie)
      if (hasFailed(login, flow)) throw new PkceError("login_expired")
      if (login.delivery !== "poll") return toProvider(login, flow, address)
      const provider = providerOf(login)
      return {
        leg: "confirm",
        login,
        provider: hostOf(provider),
        code: await userCode(loginId, login.challenge),
        token: flow.confirm,
      }
    },

    /** `POST /login/{login_id}`: the click without which nothing is granted to who polls. */
    async confirm(loginId: string, { cookie, address }: Partial<Visit>, token: unknown): Promise<Leg> {
      const { login } = await find(loginId)
      const flow = cookie === undefined ? null : await secrets.flow(login.kid, loginId, cookie)
      if (!flow || typeof token !== "string" || !sameText(token, flow.confirm))
        throw new PkceError("invalid_request", { reason: "browser_mismatch" })
      if (hasFailed(login, flow)) throw new PkceError("login_expired")
      return toProvider(login, flow, address)
    },

    /** `GET /callback`. `cookieOf` gives the flow cookie of a login. */
    async callback(parameters: CallbackParameters, cookieOf: CookieOf): Promise<Leg> {
      const { code, error } = parameters
      const { loginId, found, flow } = await identify(parameters, cookieOf)
      const { login } = found
      // A reload of the page that was shown.
      const before = await handedOver(loginId, login, flow)
      if (before) return before
      if (login.failed && hasFailed(login, flow)) return back(login, { error: login.failed.error })
      if (error === "access_denied") return fail(loginId, found, flow, error, refused(error))
      if (error !== undefined)
        return fail(loginId, found, flow, "server_error", refused("authorization_error"))
      if (!code) throw malformed()
      try {
        await takeCode(loginId, login, code, flow)
        const after = await handedOver(loginId, login, flow)
        if (after) return after
        throw refused("handoff_lost")
      } catch (thrown) {
        // Retryable: the code is as good as before, and so is a reload.
        if (!(thrown instanceof PkceError) || thrown.retryable || thrown.reason === TAKEN) throw thrown
        return fail(loginId, found, flow, "server_error", thrown)
      }
    },
  }
}
