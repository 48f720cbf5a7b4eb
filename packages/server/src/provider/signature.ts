import { compactVerify } from "jose"
import { algorithmOf } from "./algorithms.js"
import type { CompactJwt } from "./compact-jwt.js"
import { failed, type Refusal, refused } from "./failures.js"
import type { KeySource } from "./keys.js"

const MIN_SECRET = 32

export interface SignaturePolicy {
  /** Configured; never taken from a token or from metadata (D4, E3). */
  algorithms: readonly string[]
  clientSecret: string | null
  keys: KeySource
}

/** Verifies a signature that `parseCompact` has read the header of. Throws `ProviderError`. */
export async function verifySignature(
  token: string,
  { header: { alg, kid } }: CompactJwt,
  policy: SignaturePolicy,
  invalid: Refusal,
): Promise<void> {
  const kind = algorithmOf(alg)
  if (!kind || typeof alg !== "string" || !policy.algorithms.includes(alg))
    throw refused("id_token_alg_refused")
  const key =
    kind.kty === "oct"
      ? secretKey(policy.clientSecret)
      : await policy.keys.find(alg, kind, typeof kid === "string" ? kid : undefined)
  await compactVerify(token, key, { algorithms: [alg] }).catch(() => {
    throw refused(invalid)
  })
}

/** E3: the key of HS256 is the client secret and never anything that was published. */
function secretKey(clientSecret: string | null): Uint8Array {
  const key = new TextEncoder().encode(clientSecret ?? "")
  if (key.length < MIN_SECRET) throw failed("idp_misconfigured", "client_key_unusable", true)
  return key
}
