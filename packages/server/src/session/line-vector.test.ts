import { createHash, createHmac, hkdfSync } from "node:crypto"
import { afterEach, expect, test, vi } from "vitest"
import * as node from "../runtime/crypto.node.js"
import * as web from "../runtime/crypto.web.js"
import { memoryStore } from "../stores/memory.js"
import { newSession } from "../testing/conformance/case.js"

const SECRET = "format-vector-0123456789-abcdefghijklmnop"
const SID = "AAECAwQFBgcICQoLDA0ODw"
const CODE = "a code"
const CODE_VERIFIER = "v".repeat(43)
/** The session's verifiers of its first three generations. */
const VERIFIERS = ["0", "1", "2"].map((digit) => digit.repeat(43))

const s256 = (text: string) => createHash("sha256").update(text).digest()
const CHALLENGES = VERIFIERS.map(s256)
const challenge = (generation: number) => CHALLENGES[generation]?.toString("base64url") ?? ""

/**
 * What apps hold since the first version. R23: while a new version goes out, processes of both serve one session; a change
 * of these texts is a change of the format, and needs a version of its own.
 */
const PINNED = {
  first:
    "r1.K7hSObf_.AAECAwQFBgcICQoLDA0ODw.0.uRiyKhWB_t05BYBl8A5qrTW9Vh8gJXFRExod3NIYA94.jra0RKHf7fzXiMIjDOn9KgrnCviAsFmyFdKJquR3T6Y.GCtXkuNfxj8-evX8uy7RAA",
  bound:
    "r1.K7hSObf_.AAECAwQFBgcICQoLDA0ODw.0.uRiyKhWB_t05BYBl8A5qrTW9Vh8gJXFRExod3NIYA94.jra0RKHf7fzXiMIjDOn9KgrnCviAsFmyFdKJquR3T6Y.BRUplVlYaTlMk810_vbz3g.C6WzCUS0jReSdeTNVC1i2A",
  binder: "OZzqXcJGZYErowBqgYbuhInIqxn70JuYwpN9U2iwSUw",
  second:
    "r1.K7hSObf_.AAECAwQFBgcICQoLDA0ODw.1.hBISRjNfIHPidxEuE4CqxLk-MR6TWFVZzA9gIpy5r5U.duMSXG964jq07HCkesiUt9mh4O7hdb2GQ23RgsYp1lI.wWz5tCjvtHBk4jFcp_siXQ",
  third:
    "r1.K7hSObf_.AAECAwQFBgcICQoLDA0ODw.2.TORDKMLBu9ABh9CMcqlvJAkoSZ20nv2gkbzBgsQzm00.nfYJa89xutlfZtNn7qZU_hl01v5QQkZPLtcmgn0GGnM.AOZMPRg8QD6RI_r2Gf38TA",
}

/** The same texts from the description of the line, by nothing of ours. */
function derived(): typeof PINNED {
  const none = Buffer.alloc(0)
  const key = (purpose: string) => Buffer.from(hkdfSync("sha256", SECRET, none, `pkce/v1/${purpose}`, 32))
  const hmac = (purpose: string, data: Buffer | string) =>
    createHmac("sha256", key(purpose)).update(data).digest()
  const joined = (...fields: (string | Buffer)[]) =>
    Buffer.concat(
      fields.map((field) => {
        const bytes = Buffer.from(field as string)
        return Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
      }),
    )
  const kid = Buffer.from(hkdfSync("sha256", SECRET, none, "pkce/v1/kid", 6)).toString("base64url")
  function token(generation: number, secret: Buffer, mark: Buffer = none): string {
    const parts = [secret, ...(mark.length > 0 ? [mark] : [])].map((bytes) => bytes.toString("base64url"))
    const body = ["r1", kid, SID, generation, challenge(generation), ...parts].join(".")
    return `${body}.${hmac("refresh-mac", body).subarray(0, 16).toString("base64url")}`
  }
  const next = (generation: number, secret: Buffer) =>
    hmac("refresh-derive", joined("succ", SID, String(generation), secret, CHALLENGES[generation] ?? none))
  const start = [CODE, CODE_VERIFIER, challenge(0), SID]
  const secret = hmac("exchange", joined(...start))
  const binder = hmac("exchange", joined("binder", ...start)).toString("base64url")
  const [second, bound] = [next(1, secret), token(0, secret, s256(binder).subarray(0, 16))]
  return {
    first: token(0, secret),
    bound,
    binder,
    second: token(1, second),
    third: token(2, next(2, second)),
  }
}

afterEach(() => {
  vi.doUnmock("#crypto")
  vi.resetModules()
})

/** A login and two refreshes on one runtime's crypto. */
async function playedOn(runtime: typeof node | typeof web): Promise<typeof PINNED> {
  vi.resetModules()
  vi.doMock("#crypto", () => runtime)
  const { createKeyRing } = await import("../vault/keyring.js")
  const { createSessionLine } = await import("./line.js")
  const ring = createKeyRing([{ secret: SECRET, signFrom: 0 }], [])
  const store = memoryStore()
  const ignored = () => undefined
  const line = createSessionLine({ ring, store, emit: ignored, idleSeconds: 60, onReuse: ignored })
  const [kid = ""] = await ring.kids()
  const start = { kid, sid: SID, code: CODE, codeVerifier: CODE_VERIFIER, challenge: challenge(0) }
  const { cur, history, refreshToken: first } = await line.begin(start)
  const { refreshToken: bound, binder } = await line.begin({ ...start, bound: true })
  await store.create({ ...newSession(), sid: SID, cur, history })
  const refresh = async (refreshToken: string, generation: number) => {
    const verifier = VERIFIERS[generation] ?? ""
    const step = await line.refresh({ refreshToken, verifier, challenge: challenge(generation + 1) })
    return step.outcome === "granted" ? step.refreshToken : step.code
  }
  const second = await refresh(first, 0)
  return { first, bound, binder: String(binder), second, third: await refresh(second, 1) }
}

test("the texts of the line are what they always were", () => {
  expect(derived()).toEqual(PINNED)
})

test.each([
  ["node", node],
  ["web", web],
])("%s crypto makes the pinned texts", async (_, runtime) => {
  expect(await playedOn(runtime)).toEqual(PINNED)
})
