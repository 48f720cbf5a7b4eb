import { compactVerify } from "jose"
import { algorithmOf } from "./algorithms.js"
import { type CompactJwt, isPlainJwt, parseCompact } from "./compact-jwt.js"
import { failed, type TokenFlaw } from "./failures.js"
import type { KeyFinder } from "./keys.js"

const MIN_SECRET = 32

export interface SignaturePolicy {
  /** Configured; never taken from a token or from metadata (D4, E3). */
  algorithms: readonly string[]
  clientSecret: string | null
  keys: KeyFinder
}

export type SignatureFlaw =
  | Extract<
      TokenFlaw,
      "malformed" | "header_refused" | "alg_refused" | "key_unknown" | "key_ambiguous" | "signature_invalid"
    >
  /** D5: unknown as far as we know, and the provider may not be asked again just now. */
  | "key_not_sought"

/**
 * Header and claims of a token whose signature is good, or what is wrong with it. `types`: what `typ` may say beside
 * nothing. Throws `ProviderError` (`idp_*`) where the keys cannot be had.
 */
export async function readSigned(
  token: unknown,
  policy: SignaturePolicy,
  types?: readonly string[],
): Promise<CompactJwt | SignatureFlaw> {
  const jwt = typeof token === "string" ? parseCompact(token) : null
  if (typeof token !== "string" || !jwt) return "malformed"
  if (!isPlainJwt(jwt.header, types)) return "header_refused"
  const { alg, kid } = jwt.header
  const kind = algorithmOf(alg)
  if (!kind || typeof alg !== "string" || !policy.algorithms.includes(alg)) return "alg_refused"
  const key =
    kind.kty === "oct"
      ? secretKey(policy.clientSecret)
      : await policy.keys.find(alg, kind, typeof kid === "string" ? kid : undefined)
  if (typeof key === "string") return key
  return compactVerify(token, key, { algorithms: [alg] }).then(
    () => jwt,
    () => "signature_invalid" as const,
  )
}

/** E3: the key of HS256 is the client secret and never anything that was published. */
function secretKey(clientSecret: string | null): Uint8Array {
  const key = new TextEncoder().encode(clientSecret ?? "")
  if (key.length < MIN_SECRET) throw failed("idp_misconfigured", "client_key_unusable", true)
  return key
}
