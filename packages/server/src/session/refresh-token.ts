import { fromBase64url, toBase64url } from "@pkce/protocol"
import { equal, hmac, sha256 } from "#crypto"
import { PkceError } from "../errors.js"
import type { KeyRing } from "../vault/types.js"

/** A refresh token, taken apart. `challenge` is the lock that its session_verifier must open. */
export interface RefreshToken {
  kid: string
  sid: string
  gen: number
  /** 32 bytes: the S256 transformation of the verifier of this generation. */
  challenge: Uint8Array
  /** 32 bytes. */
  secret: Uint8Array
  /** The mark of the cookie that the session is bound to (see {@link binderMark}); empty where it is bound to none. */
  binder: Uint8Array
}

const MAC_LENGTH = 16
const GRAMMAR =
  /^(r1\.([\w-]{8})\.([\w-]{22})\.(0|[1-9]\d{0,9})\.([\w-]{43})\.([\w-]{43})(?:\.([\w-]{22}))?)\.([\w-]{22})$/

/** 128 bits of the cookie's hash: what the token says of the cookie, which it must never contain. */
export const binderMark = async (binder: string): Promise<Uint8Array> =>
  (await sha256(binder)).subarray(0, 16)

/** `r1.<kid>.<sid>.<gen>.<challenge>.<secret>[.<binder>].<mac>`; the MAC is over all that stands before it. */
export async function formatRefreshToken(ring: KeyRing, token: RefreshToken): Promise<string> {
  const { kid, sid, gen, challenge, secret, binder } = token
  const bound = binder.length > 0 ? `.${toBase64url(binder)}` : ""
  const body = `r1.${kid}.${sid}.${gen}.${toBase64url(challenge)}.${toBase64url(secret)}${bound}`
  return `${body}.${toBase64url(await macOf(ring, kid, body))}`
}

/**
 * The token, or `null` for anything that this ring did not issue. Total and bounded; touches no store (F6). Throws
 * `PkceError("unavailable")` for an unknown key id after `onUnknownKid`: one process with the wrong secrets must not log
 * everybody out (F10).
 */
export async function parseRefreshToken(
  ring: KeyRing,
  text: string,
  onUnknownKid: (kid: string) => void,
): Promise<RefreshToken | null> {
  const [, body, kid, sid, gen, lock, hidden, bound, tail] = GRAMMAR.exec(text) ?? []
  const mac = fromBase64url(tail ?? "")
  const challenge = fromBase64url(lock ?? "")
  const secret = fromBase64url(hidden ?? "")
  const binder = fromBase64url(bound ?? "")
  if (!body || !kid || !sid || !gen || !mac || !challenge || !secret || !binder) return null

  const state = await ring.state(kid)
  if (state === "retired") return null
  if (state === "unknown") {
    onUnknownKid(kid)
    throw new PkceError("unavailable", { reason: "keyring_missing", retryAfter: 1 })
  }
  if (!equal(mac, await macOf(ring, kid, body))) return null
  return { kid, sid, gen: Number(gen), challenge, secret, binder }
}

async function macOf(ring: KeyRing, kid: string, body: string): Promise<Uint8Array> {
  const key = await ring.hmac(kid, "refresh-mac")
  return (await hmac(key, body)).subarray(0, MAC_LENGTH)
}
