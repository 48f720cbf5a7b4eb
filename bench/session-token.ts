import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto"
import { createSessionTokens } from "../packages/server/src/session/tokens.js"
import type { SessionTokens } from "../packages/server/src/session/types.js"
import { createKeyRing } from "../packages/server/src/vault/keyring.js"
import { cpuOf, interleave, print, ratio, title } from "./measure.js"

const ROUNDS = 25
/** Tokens of one round: as many as the cache surely holds. */
const COUNT = 5_000
const PASSES = 6

const session = {
  issuer: "https://api.example.com/auth",
  audience: "https://api.example.com",
  algorithm: "HS256" as const,
  privateKey: null,
  claims: ["email"],
  tokenLifetime: 3600,
  idleLifetime: 2_592_000,
  absoluteLifetime: 7_776_000,
}
const ring = createKeyRing([{ secret: randomBytes(32).toString("base64"), signFrom: 0 }], [])
const now = Math.floor(Date.now() / 1000)
const people = Array.from({ length: COUNT }, () => ({
  sub: randomBytes(32).toString("base64url"),
  sid: randomBytes(16).toString("base64url"),
  claims: { email: `${randomBytes(6).toString("hex")}@example.com` },
  now,
  notAfter: now + session.absoluteLifetime,
}))

const fresh = (): SessionTokens => createSessionTokens({ session, ring })
const signing = fresh()
const tokens = await Promise.all(people.map(async (who) => (await signing.sign(who)).token))
// The first character of the signature: the last bears bits that say nothing.
const forged = tokens.map((token) =>
  token.replace(/\.([\w-])(?=[\w-]*$)/, (_, c) => (c === "A" ? ".B" : ".A")),
)

// The floor: HMAC-SHA-256 of node:crypto and JSON, with no check of any claim.
const key: KeyObject = createSecretKey(randomBytes(32))
const header = Buffer.from('{"alg":"HS256","typ":"at+jwt","kid":"01234567"}').toString("base64url")
const mac = (data: string) => createHmac("sha256", key).update(data).digest()

function rawSign(payload: object): string {
  const input = `${header}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}`
  return `${input}.${mac(input).toString("base64url")}`
}
function rawVerify(token: string): unknown {
  const end = token.lastIndexOf(".")
  const signature = Buffer.from(token.slice(end + 1), "base64url")
  if (!timingSafeEqual(mac(token.slice(0, end)), signature)) return null
  return JSON.parse(Buffer.from(token.slice(token.indexOf(".") + 1, end), "base64url").toString())
}
function payloadOf({ sub, sid, claims }: (typeof people)[number]): object {
  const { issuer: iss, audience: aud } = session
  const jti = randomBytes(16).toString("base64url")
  return { ...claims, iss, aud, sub, sid, iat: now, exp: now + 3600, jti }
}
const rawTokens = people.map((who) => rawSign(payloadOf(who)))

/** Every answer is looked at: a benchmark of refusals would be quick. */
async function verifyAll(verifier: SessionTokens, all: string[], good: boolean): Promise<void> {
  for (const token of all) {
    const answer = verifier.verify(token)
    const session = answer instanceof Promise ? await answer : answer
    if ((session !== null) !== good) throw new Error(`a token was ${good ? "refused" : "taken"}`)
  }
}

/** Several passes: the garbage of one subject is then, but for the last of it, collected at its own cost. */
const passes = (pass: () => unknown) => () =>
  cpuOf(async () => {
    for (let i = 0; i < PASSES; i++) await pass()
  })

const warm = fresh()
await verifyAll(warm, tokens, true)
const costs = await interleave(ROUNDS, {
  floor: passes(() => {
    for (const token of rawTokens) if (rawVerify(token) === null) throw new Error("the floor refused")
  }),
  seen: passes(() => verifyAll(warm, tokens, true)),
  first: passes(() => verifyAll(fresh(), tokens, true)),
  forged: passes(() => verifyAll(warm, forged, false)),
  floorSign: passes(() => {
    for (const who of people) rawSign(payloadOf(who))
  }),
  sign: passes(async () => {
    for (const who of people) await signing.sign(who)
  }),
})

title("session token, HS256: CPU in units of raw HMAC-SHA-256 + JSON by node:crypto")
print("verify, seen before", ratio(costs.seen, costs.floor), "x", 0.25)
print("verify, first time", ratio(costs.first, costs.floor), "x", 1.3)
print("refuse a bad signature", ratio(costs.forged, costs.floor), "x", 1.5)
print("sign", ratio(costs.sign, costs.floorSign), "x", 1.3)
