/** The pattern of {@link isVerifier}. Exported, as the next ones are, so that a schema can show what it checks. */
export const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/
// 32 bytes are 43 characters, and the last one carries four bits only: two of its six must be zero.
export const CHALLENGE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
export const IDENTIFIER = /^[A-Za-z0-9_-]{22}$/

/** `code_verifier` and `session_verifier`: 43 to 128 unreserved characters (RFC 7636 section 4.1). */
export const isVerifier = (text: string): boolean => VERIFIER.test(text)

/** `session_challenge`: the S256 transformation of a verifier (RFC 7636 section 4.2), 43 characters. */
export const isChallenge = (text: string): boolean => CHALLENGE.test(text)

/** A `session_id`: 128 random bits in base64url, 22 characters. */
export const isIdentifier = (text: string): boolean => IDENTIFIER.test(text)
