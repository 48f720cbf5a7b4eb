import type { Grant, PendingAnswer } from "@pkce/protocol"
import { s256, sameText } from "#crypto"
import { PkceError } from "../../errors.js"
import type { Found, LoginRecords, ReturnedLogin } from "../../hosted/records.js"
import type { HostedSecrets } from "../../hosted/secrets.js"
import { lengthPrefixed } from "../../vault/fields.js"
import type { Rooms } from "../rooms.js"
import type { Parsed, pollRequest, redeemRequest } from "../schemas.js"
import { type Caller, checkBinding, createSessionOpener } from "./open-session.js"

export type Redeem = Parsed<typeof redeemRequest>
export type Poll = Parsed<typeof pollRequest>

/** Lost races for one record. Each means that another request has changed it. */
const MAX_ATTEMPTS = 5

const refused = (reason: string) => new PkceError("login_failed", { reason })

/** S256 (RFC 7636 section 4.6). */
const opens = async (verifier: string, challenge: string): Promise<boolean> =>
  sameText(await s256(verifier), challenge)

/** Turns what came back from the provider into a session, for who started the login and for nobody else. */
export function createHostedRedeem(rooms: Rooms, records: LoginRecords, secrets: HostedSecrets) {
  const { emit } = rooms
  const { open } = createSessionOpener(rooms)

  function tell(error: unknown, found: Found<ReturnedLogin> | null): void {
    if (!(error instanceof PkceError) || error.code !== "login_failed") return
    emit({
      type: "auth.hosted.failed",
      error_id: error.errorId,
      ...(found && { provider: found.login.provider }),
      ...(error.reason !== undefined && { reason: error.reason }),
    })
  }

  /** The one use of a handoff (J4). The verifier is proved by now. */
  async function grant(
    input: Poll,
    handoff: string,
    first: Found<ReturnedLogin>,
    caller: Caller,
  ): Promise<Grant> {
    const { login_id: loginId, code_verifier: codeVerifier, session_challenge: challenge, bind } = input
    const request = lengthPrefixed(handoff, codeVerifier, challenge ?? "", bind ?? "")
    const redeemedBy = await s256(request)
    let found: Found<ReturnedLogin> | null = first
    for (let attempt = 0; attempt < MAX_ATTEMPTS && found; attempt++) {
      const { login }: Found<ReturnedLogin> = found
      if (login.burned) {
        // Its row may have been written since, by a process that died before it looked.
        await rooms.endSession(login.sid, "handoff_replay")
        throw refused("handoff_burned")
      }
      if (login.redeemedBy === undefined) {
        // One request in the whole fleet writes its name here; every repeat of it goes on from there.
        await records.returned.replace(loginId, found, { ...login, redeemedBy })
        found = await records.returned.find(loginId)
        continue
      }
      if (!sameText(login.redeemedBy, redeemedBy)) return replayed(loginId, found)
      const { sid, kid, provider, identity, device, deadline } = login
      const opening = { sid, kid, code: handoff, codeVerifier, challenge }
      const whole = { ...opening, bound: bind !== undefined, cookies: caller.cookies }
      // Where this very request has written the row before, it finds that and repeats the answer.
      const granted = await open({ ...whole, provider, identity, device, deadline })
      // Somebody else came with the handoff while the row was being written, and found nothing to end.
      if ((await records.returned.find(loginId))?.login.burned) {
        await rooms.endSession(sid, "handoff_replay")
        throw refused("handoff_burned")
      }
      return granted
    }
    throw new PkceError(found ? "unavailable" : "login_expired")
  }

  /** The right handoff and the right verifier, but not the request that redeemed it: two have them, and one is a thief. */
  async function replayed(loginId: string, found: Found<ReturnedLogin>): Promise<never> {
    await records.returned.replace(loginId, found, { ...found.login, burned: true })
    await rooms.endSession(found.login.sid, "handoff_replay")
    throw refused("handoff_replay")
  }

  async function byHandoff(input: Redeem, found: Found<ReturnedLogin>, caller: Caller): Promise<Grant> {
    const { login } = found
    if (login.delivery === "poll") throw refused("wrong_delivery")
    // Who has no handoff has nothing to burn: the login's id is public.
    if (!sameText(input.handoff, await secrets.handoff(login.kid, input.login_id)))
      throw refused("handoff_mismatch")
    if (!(await opens(input.code_verifier, login.challenge))) {
      if (login.redeemedBy === undefined)
        await records.returned.replace(input.login_id, found, { ...login, burned: true })
      throw refused("handoff_stolen")
    }
    return grant(input, input.handoff, found, caller)
  }

  return {
    /** `POST /redeem` */
    async redeem(input: Redeem, caller: Caller = {}): Promise<Grant> {
      checkBinding(input, caller)
      const found = await records.returned.find(input.login_id)
      try {
        if (found) return await byHandoff(input, found, caller)
        const isPending = (await records.started.find(input.login_id)) !== null
        throw isPending ? refused("not_returned") : new PkceError("login_expired")
      } catch (error) {
        tell(error, found)
        throw error
      }
    },

    /** `POST /poll`: the verifier alone says who asks, and a wrong one changes nothing, since anybody may know the id. */
    async poll(input: Poll, caller: Caller = {}): Promise<Grant | PendingAnswer> {
      checkBinding(input, caller)
      const found = await records.returned.find(input.login_id)
      const started = found ?? (await records.started.find(input.login_id))
      try {
        if (!started) throw new PkceError("login_expired")
        const { login } = started
        if (login.delivery !== "poll") throw refused("wrong_delivery")
        if (!(await opens(input.code_verifier, login.challenge))) throw refused("verifier_mismatch")
        if (found) return await grant(input, await secrets.handoff(login.kid, input.login_id), found, caller)
        if ("failed" in login && login.failed) throw refused(login.failed.error)
        return { status: "pending" }
      } catch (error) {
        tell(error, found)
        throw error
      }
    },
  }
}
