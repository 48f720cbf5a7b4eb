import { createCipheriv, createHash, hkdfSync } from "node:crypto"
import { afterEach, expect, test, vi } from "vitest"
import * as node from "../runtime/crypto.node.js"
import * as web from "../runtime/crypto.web.js"
import type { SealContext } from "./types.js"

const SECRET = "format-vector-0123456789-abcdefghijklmnop"
const SALT = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex")
const NONCE = Buffer.from("101112131415161718191a1b", "hex")
const PROVIDED = { id: "arn:kms/2027", key: Buffer.alloc(32, 0x42) }
const VALUE = { sub: "ü", n: [1, null] }
const CONTEXT: SealContext = {
  purpose: "idp-tokens",
  issuer: "https://tenant.example/",
  subject: "auth0|5f7c",
  sid: "AAECAwQFBgcICQoLDA0ODw",
  rev: 7,
}

/** What stores hold since the first version. A change of these bytes is a change of the format: it needs a version of its own. */
const PINNED = {
  secrets: [
    "AQhLN2hTT2JmXwABAgMEBQYHCAkKCwwNDg8K9VDCoyA3Hp-AIzhp0jFQEBESExQVFhcYGRoblntjprG5UzbkYPdGF5do_gZ812FT",
    "kcUuAKKbX_n9rL2pUXt9oLHl_DV3GBrqeR8bUaJYP0Q4yOJfCTM_6gu1EkMWH_bZvpwSOeH52-WeD-1O83M16YXnJTr-Rl82EW-Y",
    "_Anv6wBeUVtY04PFK3OJRiHCvo6NwTLuuvmArdR3owwMzt47Ry6UD3KEEOUJOjNUdtjfvWnZlVIekR0WgotWA1Va-lLkVRm2IQRp",
    "NzXtlKNZyWgcxttYVQv_E3MjGJYUX7ZBgfiX_0MqQgwMRGNgLW0bsvPlX-bOlbpoxT5h4uWnaoYapXPY2MBQV2pCbnsp7kIR8-IP",
    "lMuB8Bn83JRYWg32RwU8cHYQlc3MP_gXEqE",
  ].join(""),
  provider: [
    "AgAMYXJuOmttcy8yMDI3AAECAwQFBgcICQoLDA0OD1TjMmqQ18moHlzCFbl8lhkQERITFBUWFxgZGhsBfLQEmwOHPBwJq4sCRe2_",
    "l7do3_FepEF7fVFO3b83Spzppe4lGR7B1gds5l6qM1v4nKcXhltAb6DQhbsrrejKB0wbbJZZ0pOoc05rzMcgHrftOacoOnWBfEoW",
    "_DSkttAaJcs3qoz1D5Ku1tuRx4obg4WOn8ucz1Gmu8Y7gEkb0VssJFZAI-V4oUvdciEvKnqFZYbafOdy3lAfGjWmLygw1WUo4e7D",
    "0EM23EOOdwVXjBvjmp5rTExVzsFUW38ny0llXjIEJIAkisgSEOpQVMjXZHX30Xn9WOKcaIwAb4x-YNNWLjnbsm8ujrlKdg72KtPA",
    "O8_XS9AeFPf3gACrd07P7b-gkEAEqsQTiSNLCbv5NQ",
  ].join(""),
}

afterEach(() => {
  vi.doUnmock("#crypto")
  vi.resetModules()
})

/** The vault on one runtime's crypto, with salts and nonces that are no secret. */
async function vaultOn(runtime: typeof node | typeof web, kind: keyof typeof PINNED, random = false) {
  vi.resetModules()
  const fixed = () => Buffer.concat([SALT, NONCE])
  vi.doMock("#crypto", () => ({ ...runtime, ...(!random && { randomBytes: fixed }) }))
  const { createKeyRing } = await import("./keyring.js")
  const { createVault } = await import("./seal.js")
  const keyProvider = { current: async () => PROVIDED, find: async () => PROVIDED.key }
  const ring = createKeyRing([{ secret: SECRET, signFrom: 0 }], [])
  return createVault(ring, kind === "provider" ? { keyProvider } : {})
}

/** The same bytes from the description of the format, by nothing of ours. */
function derived(kind: keyof typeof PINNED): Buffer {
  const hkdf = (key: Uint8Array | string, salt: Uint8Array, info: string, length: number) =>
    Buffer.from(hkdfSync("sha256", key, salt, info, length))
  const none = Buffer.alloc(0)
  const [version, id, master] =
    kind === "secrets"
      ? [
          1,
          hkdf(SECRET, none, "pkce/v1/kid", 6).toString("base64url"),
          hkdf(SECRET, none, "pkce/v1/seal", 32),
        ]
      : [2, PROVIDED.id, PROVIDED.key]
  const okm = hkdf(master, SALT, "pkce/v1/seal/idp-tokens", 64)
  const fields = [
    ...["pkce", String(version), id, "idp-tokens", "", CONTEXT.issuer],
    createHash("sha256").update(CONTEXT.subject).digest(),
    ...[CONTEXT.sid, "7"],
  ]
  const cipher = createCipheriv("aes-256-gcm", okm.subarray(0, 32), NONCE)
  cipher.setAAD(
    Buffer.concat(
      fields.map((field) => {
        const bytes = Buffer.from(field as string)
        return Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
      }),
    ),
  )
  const plain = Buffer.alloc(256, " ")
  plain.write(JSON.stringify(VALUE))
  const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  const head = version === 1 ? [1, id.length] : [2, 0, id.length]
  return Buffer.concat([Buffer.from(head), Buffer.from(id), SALT, okm.subarray(32, 48), NONCE, sealed])
}

test.each(["secrets", "provider"] as const)("the format for %s is what it always was", (kind) => {
  expect(derived(kind).toString("base64url")).toBe(PINNED[kind])
})

test.each([
  ["node", "secrets", node],
  ["web", "secrets", web],
  ["node", "provider", node],
  ["web", "provider", web],
] as const)("%s crypto seals the pinned bytes with a key of %s, and opens them", async (_, kind, runtime) => {
  const vault = await vaultOn(runtime, kind)
  const sealed = await vault.seal(VALUE, CONTEXT)
  expect(Buffer.from(sealed).toString("base64url")).toBe(PINNED[kind])
  expect(await vault.open(Buffer.from(PINNED[kind], "base64url"), CONTEXT)).toEqual(VALUE)
})

test.each([
  ["node", node, "web", web],
  ["web", web, "node", node],
] as const)("what %s crypto sealed, %s opens; with random salts and nonces", async (_, one, __, other) => {
  for (const kind of ["secrets", "provider"] as const) {
    const sealed = await (await vaultOn(one, kind, true)).seal(VALUE, CONTEXT)
    expect(await (await vaultOn(other, kind, true)).open(sealed, CONTEXT)).toEqual(VALUE)
    expect(Buffer.from(sealed).toString("base64url")).not.toBe(PINNED[kind])
  }
})
