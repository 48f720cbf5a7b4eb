import { describe, expect, it } from "vitest"
import { createKeyRing } from "../vault/keyring.js"
import { createHostedSecrets, loginOfState, userCode } from "./secrets.js"

const secret = (name: string) => ({ secret: `${name}-0123456789-abcdefghijklmnopqrstuvwxyz`, signFrom: 0 })
const ring = createKeyRing([secret("a"), secret("b")], [])
const secrets = createHostedSecrets(ring)
const ID = "AAAAAAAAAAAAAAAAAAAAAA"
const COOKIE = "c".repeat(43)

describe("the secrets of one browser's leg", () => {
  it("are four values that have nothing in common, and the same each time", async () => {
    const kid = await ring.active()
    const flow = await secrets.flow(kid, ID, COOKIE)
    expect(await secrets.flow(kid, ID, COOKIE)).toEqual(flow)
    const values = [flow.state.split(".")[1], flow.nonce, flow.codeVerifier, flow.confirm]
    expect(flow.state.startsWith(`${ID}.`)).toBe(true)
    for (const value of values) expect(value).toMatch(/^[\w-]{43}$/)
    expect(new Set([...values, await secrets.handoff(kid, ID)]).size).toBe(5)
  })

  it("change with the login, the cookie and the key; the handoff with the login and the key", async () => {
    const [one = "", other = ""] = await ring.kids()
    const flows = await Promise.all([
      secrets.flow(one, ID, COOKIE),
      secrets.flow(other, ID, COOKIE),
      secrets.flow(one, ID.replace("A", "B"), COOKIE),
      secrets.flow(one, ID, COOKIE.replace("c", "d")),
      // Where one field ends and the next begins is part of what is hashed.
      secrets.flow(one, `${ID}c`, COOKIE.slice(1)),
    ])
    for (const name of ["state", "nonce", "codeVerifier", "confirm"] as const)
      expect(new Set(flows.map((flow) => flow[name])).size).toBe(5)
    const handoffs = [secrets.handoff(one, ID), secrets.handoff(other, ID), secrets.handoff(one, "x")]
    expect(new Set(await Promise.all(handoffs)).size).toBe(3)
  })

  it("has the challenge of RFC 7636 appendix B", async () => {
    expect(await secrets.challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).toBe(
      "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    )
  })
})

it("a state names a login where it has the form of ours, and nothing else does", () => {
  const mac = "m".repeat(43)
  expect(loginOfState(`${ID}.${mac}`)).toBe(ID)
  for (const state of [
    "",
    ID,
    `${ID}.`,
    `.${mac}`,
    `${ID}x.${mac}`,
    `${ID}.${mac}x`,
    `${ID}.${mac}\n`,
    `${ID}.${mac}.x`,
    `${ID.replace("A", "/")}.${mac}`,
  ])
    expect(loginOfState(state)).toBeNull()
})

// Computed with Python's hashlib.
it.each([
  [ID, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "YF0T-5CRA"],
  ["x_-0123456789abcdefgh", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "PPP5-XDT3"],
  [ID, "A".repeat(43), "X53V-X0E0"],
])("the code of %s and %s is %s, as any client derives it", async (loginId, challenge, code) => {
  expect(await userCode(loginId, challenge)).toBe(code)
})
