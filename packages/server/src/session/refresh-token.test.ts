import { toBase64url } from "@pkce/protocol"
import { expect, test } from "vitest"
import { hmac } from "#crypto"
import { createKeyRing } from "../vault/keyring.js"
import { formatRefreshToken, parseRefreshToken } from "./refresh-token.js"

const ring = createKeyRing([{ secret: "a secret for tests of the token, 0123456789", signFrom: 0 }], [])
const kid = await ring.active()
const SID = "AAECAwQFBgcICQoLDA0ODw"
const WHOLE = { kid, sid: SID, challenge: Buffer.alloc(32, 1), secret: Buffer.alloc(32, 2) }

const unknown = (id: string) => expect.fail(`asked for the key ${id}`)
const read = (text: string) => parseRefreshToken(ring, text, unknown)

test("a token of any generation is read as it was written, bound to a cookie or not", async () => {
  for (const gen of [0, 9, 10, 100, 4_294_967_296, 9_999_999_999]) {
    for (const binder of [new Uint8Array(), new Uint8Array(16).fill(3)]) {
      const token = { ...WHOLE, gen, binder }
      const { challenge, secret, ...rest } = (await read(await formatRefreshToken(ring, token))) ?? {}
      expect(rest).toEqual({ kid, sid: SID, gen, binder })
      expect([challenge, secret].map((value) => value && Buffer.from(value))).toEqual([
        WHOLE.challenge,
        WHOLE.secret,
      ])
    }
  }
})

/** A text that bears a right MAC, as only we could have made it. */
async function signed(parts: string[]): Promise<string> {
  const body = parts.join(".")
  const mac = await hmac(await ring.hmac(kid, "refresh-mac"), new TextEncoder().encode(body))
  return `${body}.${toBase64url(mac.subarray(0, 16))}`
}

const bytes = (length: number) => toBase64url(new Uint8Array(length).fill(1))
const PARTS = ["r1", kid, SID, "0", bytes(32), bytes(32)]
/** Of the same length, but not what any bytes are spelled as. */
const misspelled = (text: string) => `${text.slice(0, -1)}B`

test("G8: under a right MAC too, nothing but the grammar is read, and each value in one spelling only", async () => {
  const token = await signed(PARTS)
  expect(await read(token)).toMatchObject({ sid: SID, gen: 0 })
  expect(await read(misspelled(token))).toBeNull()
  const changes: [number, string[]][] = [
    [0, ["r2", "r", "R1", "xr1"]],
    [1, [kid.slice(1), `${kid}A`, ""]],
    [2, [SID.slice(1), `${SID}A`, `${SID.slice(1)}:`, `${SID.slice(1)}*`]],
    [3, ["00", "01", "-1", "1e3", "", "10000000000"]],
    [4, [bytes(31), bytes(33), misspelled(bytes(32))]],
    [5, [bytes(31), bytes(33), misspelled(bytes(32))]],
    [6, [bytes(15), bytes(17), misspelled(bytes(16)), ""]],
  ]
  for (const [at, texts] of changes) {
    for (const text of texts) {
      const parts = [...PARTS.slice(0, at), text, ...PARTS.slice(at + 1)]
      expect([text, await read(await signed(parts))]).toEqual([text, null])
    }
  }
})
