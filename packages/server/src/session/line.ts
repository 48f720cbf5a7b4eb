import { fromBase64url, toBase64url } from "@pkce/protocol"
import { equal, hmac, sha256 } from "#crypto"
import { callHook } from "../emit.js"
import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import { concat } from "../runtime/bytes.js"
import type { SessionRow, Store } from "../stores/contract.js"
import { lengthPrefixed } from "../vault/fields.js"
import type { KeyRing } from "../vault/types.js"
import { newRing, recall } from "./history.js"
import { endOf, judge, plainStep, type Use } from "./judge.js"
import { binderMark, formatRefreshToken, parseRefreshToken, type RefreshToken } from "./refresh-token.js"
import type { Proof, SessionLine, Step } from "./types.js"

export interface SessionLineOptions {
  ring: KeyRing
  /** Guarded: what it throws is the `PkceError("unavailable")` that the caller gets. It ends no session. */
  store: Store
  emit: Emit
  /** Seconds without a refresh after which a session ends. */
  idleSeconds: number
  /** Called once for each session that was revoked because two parties used one generation of it. */
  onReuse: (reuse: { session_id: string; sub: string; row: SessionRow }) => void
}

/** Lost races in one refresh before it is answered 503. Each loss means that somebody else's step was committed. */
const MAX_ATTEMPTS = 5

/**
 * The session line: PKCE carried on through every refresh. A refresh token carries the session_challenge of its own
 * generation; the refresh opens it with the session_verifier and sets the next challenge. The successor is a function of
 * the request alone, so an honest repeat finds what it did before, and a second party, who cannot know the next
 * challenge, is found at its first use (RFC 9700 section 4.14.2, without a grace period).
 *
 * The key id of a successor is the one that signed at the time of its commit, which the row holds as `seenAt`: a repeat
 * finds it on every process. It is not part of `cur`. Where the rings of two processes differ, or a store lost the
 * commit, the two answers to one request may differ in the key id, and nothing else; both are good, and a client keeps
 * the first that it stored.
 */
export function createSessionLine(options: SessionLineOptions): SessionLine {
  const { ring, store, emit, idleSeconds, onReuse } = options

  const parse = (text: string) =>
    parseRefreshToken(ring, text, (kid) => emit({ type: "keyring.missing", kid }))

  async function granted(
    use: Use & Pick<RefreshToken, "binder">,
    challenge: Uint8Array,
    secret: Uint8Array,
    row: SessionRow,
    now: number,
    kind: { repeat: boolean; forward: boolean; withSessionToken: boolean },
  ): Promise<Step> {
    const { repeat, forward, withSessionToken } = kind
    const kid = await ring.active(row.seenAt)
    const gen = use.gen + 1
    const { sid, binder } = use
    const refreshToken = await formatRefreshToken(ring, { kid, sid, gen, challenge, secret, binder })
    const who = { session_id: row.sid, sub: row.sub, provider: row.provider }
    emit({ type: "session.refreshed", ...who, generation: gen, repeat, forward })
    return { outcome: "granted", row, refreshToken, now, repeat, withSessionToken }
  }

  /**
   * J6: a token that is bound to a cookie is nothing without it. Refused and told, but no alarm: the cookie may have been
   * deleted, and whoever holds a copy of the storage alone must not be able to end the session.
   */
  async function isAtHome(token: RefreshToken, binderOf: Proof["binderOf"]): Promise<boolean> {
    if (token.binder.length === 0) return true
    const binder = binderOf?.(token.sid)
    if (binder !== undefined && equal(token.binder, await binderMark(binder))) return true
    emit({
      type: "session.cookie_refused",
      session_id: token.sid,
      reason: binder === undefined ? "cookie_missing" : "cookie_mismatch",
    })
    return false
  }

  /** F1: the session ends in the store before anybody gets an answer. */
  async function alarm(generation: number, row: SessionRow): Promise<Step> {
    if (await store.revoke(row.sid, "reuse")) {
      const who = { session_id: row.sid, sub: row.sub }
      emit({ type: "session.reuse_detected", ...who, generation, row_generation: row.gen })
      callHook(onReuse, { ...who, row })
    }
    return ended("session_reuse_detected")
  }

  return {
    async begin({ kid, sid, code, codeVerifier, challenge, bound }) {
      const lock = decoded(challenge)
      const key = await ring.hmac(kid, "exchange")
      const secret = await hmac(key, lengthPrefixed(code, codeVerifier, challenge, sid))
      const cur = await sha256(concat([secret, lock]))
      const binder = bound
        ? toBase64url(await hmac(key, lengthPrefixed("binder", code, codeVerifier, challenge, sid)))
        : null
      const mark = binder === null ? UNBOUND : await binderMark(binder)
      const token = { kid, sid, gen: 0, challenge: lock, secret, binder: mark }
      return { cur, history: newRing(cur), refreshToken: await formatRefreshToken(ring, token), binder }
    },

    async refresh({ refreshToken, verifier, challenge, binderOf }) {
      const lock = decoded(challenge)
      const token = await parse(refreshToken)
      if (!token) return ended("invalid_token")
      const { sid, gen } = token
      if (!(await isAtHome(token, binderOf))) return ended("invalid_token")

      if (!(await opens(token, verifier))) {
        // F5: whoever has the token without its key is not the owner, however the store stands.
        const { row, now } = await store.find(sid)
        if (!row) return ended("session_expired")
        const end = endOf(row, now)
        return end ? ended(end.code) : alarm(gen, row)
      }

      const secret = await successor(ring, token, lock)
      const cur = await sha256(concat([token.secret, token.challenge]))
      const { binder } = token
      const use = { sid, gen, cur, binder, nextCur: await sha256(concat([secret, lock])) }

      let step = plainStep(use, idleSeconds)
      let forward = false
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const result = await store.advance(step)
        if (result.outcome === "missing") return ended("session_expired")
        const { row, now } = result
        if (result.outcome === "advanced") {
          return granted(use, lock, secret, row, now, { repeat: false, forward, withSessionToken: true })
        }
        const judged = judge(use, row, now, idleSeconds)
        if (judged.verdict === "ended") return ended(judged.code)
        if (judged.verdict === "reuse") return alarm(gen, row)
        if (judged.verdict === "repeat") {
          const kind = { repeat: true, forward: false, withSessionToken: judged.recent }
          return granted(use, lock, secret, row, now, kind)
        }
        // F4: the step is compared again in the store; a loss is judged anew by the row that won.
        step = judged.step
        forward = judged.forward
      }
      throw new PkceError("unavailable", { reason: "contended", retryAfter: 1 })
    },

    async prove({ refreshToken, verifier, binderOf }) {
      const token = await parse(refreshToken)
      if (!token || !(await isAtHome(token, binderOf)) || !(await opens(token, verifier))) return null
      const { row } = await store.find(token.sid)
      if (!row) return null
      // A token from the future proves that the store lost commits (R9): its owner may still log out.
      if (token.gen > row.gen) return row.sid
      const cur = await sha256(concat([token.secret, token.challenge]))
      if (token.gen === row.gen) return equal(cur, row.cur) ? row.sid : null
      return token.gen === row.gen - 1 && recall(row, token.gen, cur) === "same" ? row.sid : null
    },
  }
}

const UNBOUND = new Uint8Array()

const ended = (code: Extract<Step, { outcome: "ended" }>["code"]): Step => ({ outcome: "ended", code })

/** The S256 transformation (RFC 7636 section 4.2) of the verifier against the lock that the token carries. */
const opens = async (token: RefreshToken, verifier: string): Promise<boolean> =>
  equal(await sha256(verifier), token.challenge)

/** Deterministic in the request: under the key of the token that was presented, never the one that is active now. */
async function successor(ring: KeyRing, token: RefreshToken, lock: Uint8Array): Promise<Uint8Array> {
  const key = await ring.hmac(token.kid, "refresh-derive")
  return hmac(key, lengthPrefixed("succ", token.sid, String(token.gen + 1), token.secret, lock))
}

function decoded(challenge: string): Uint8Array {
  const bytes = fromBase64url(challenge)
  if (bytes?.length !== 32) throw new PkceError("invalid_request", { reason: "session_challenge" })
  return bytes
}
