import { createHash, randomBytes } from "node:crypto"

/** A secret or verifier: 32 random bytes. */
export const random = (): string => randomBytes(32).toString("base64url")

/** The S256 transformation (RFC 7636 section 4.2). */
export const s256 = (verifier: string): string => createHash("sha256").update(verifier).digest("base64url")
