import { createHmac } from "node:crypto"
import { exportJWK, generateKeyPair } from "jose"
import { createKeyRing } from "../vault/keyring.js"
import type { KeyRing } from "../vault/types.js"
import { createSessionTokens } from "./tokens.js"

export const secret = (name: string) => ({
  secret: `${name}-0123456789-abcdefghijklmnopqrstuvwxyz`,
  signFrom: 0,
})
export const NOW = 1_900_000_000
export const who = {
  sub: "u1",
  sid: "s".repeat(22),
  claims: { email: "ada@example.com" },
  now: NOW,
  notAfter: NOW + 1e6,
}
export const es256Key = await exportJWK((await generateKeyPair("ES256", { extractable: true })).privateKey)

export const config = (overrides = {}) => ({
  issuer: "https://api.example/auth",
  audience: "https://api.example",
  algorithm: "HS256" as "HS256" | "EdDSA" | "ES256",
  privateKey: es256Key as { [member: string]: unknown },
  claims: [],
  tokenLifetime: 300,
  idleLifetime: 1,
  absoluteLifetime: 1,
  ...overrides,
})

export function rig(overrides = {}, ring: KeyRing = createKeyRing([secret("a")], [])) {
  const clock = { now: NOW }
  const tokens = createSessionTokens({ session: config(overrides), ring, now: () => clock.now })
  return { tokens, clock, ring }
}

export const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
export const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())

/** Signs what it is told with the real HS256 key. */
export async function forge(ring: KeyRing, header: object, claims: unknown): Promise<string> {
  const input = `${part(header)}.${typeof claims === "string" ? claims : part(claims)}`
  const key = await ring.bytes(await ring.active(), "session-hs256")
  return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`
}
