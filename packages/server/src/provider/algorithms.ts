/** What an ID token's `alg` demands of its key (RFC 7518 section 3.1, RFC 8037) and of `at_hash` (OpenID Connect Core 3.1.3.8). */
export interface Algorithm {
  kty: "RSA" | "EC" | "OKP" | "oct"
  crv?: string
  hash: "SHA-256" | "SHA-384" | "SHA-512"
}

// E2, E3: the key's type follows from this table alone; `none` is not in it, and no header can add a line.
const ALGORITHMS = new Map<string, Algorithm>([
  ["RS256", { kty: "RSA", hash: "SHA-256" }],
  ["RS384", { kty: "RSA", hash: "SHA-384" }],
  ["RS512", { kty: "RSA", hash: "SHA-512" }],
  ["PS256", { kty: "RSA", hash: "SHA-256" }],
  ["PS384", { kty: "RSA", hash: "SHA-384" }],
  ["PS512", { kty: "RSA", hash: "SHA-512" }],
  ["ES256", { kty: "EC", crv: "P-256", hash: "SHA-256" }],
  ["ES384", { kty: "EC", crv: "P-384", hash: "SHA-384" }],
  ["ES512", { kty: "EC", crv: "P-521", hash: "SHA-512" }],
  ["EdDSA", { kty: "OKP", crv: "Ed25519", hash: "SHA-512" }],
  ["Ed25519", { kty: "OKP", crv: "Ed25519", hash: "SHA-512" }],
  ["HS256", { kty: "oct", hash: "SHA-256" }],
])

/** `undefined` for an algorithm that is not supported, whatever type the value has. */
export const algorithmOf = (alg: unknown): Algorithm | undefined =>
  typeof alg === "string" ? ALGORITHMS.get(alg) : undefined
