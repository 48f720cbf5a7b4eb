import { s256 } from "#crypto"
import type { Awaitable } from "../runtime/crypto.js"
import { lengthPrefixed } from "../vault/fields.js"

/**
 * Our own key of a user: base64url(SHA-256(len(issuer) ‖ issuer ‖ len(subject) ‖ subject)), where both are UTF-8 and
 * `len` is the number of bytes as four bytes big-endian. A user is the pair of both (OpenID Connect Core section 5.7):
 * two providers that use the same `sub` never meet, whatever the two texts contain.
 *
 * @example
 * ```ts
 * await subjectOf("https://tenant.auth0.com/", "auth0|507f1f77bcf86cd799439011") // 43 characters
 * ```
 */
export const subjectOf = (issuer: string, subject: string): Awaitable<string> =>
  s256(lengthPrefixed(issuer, subject))
