import { describe, expect, test } from "vitest"
import { createPkceServer } from "../src/server.js"
import { accept, createRig, outcomeOf, requestOf, SECRETS } from "./support/line.js"
import { call, parsed, startServer, wire } from "./support/server.js"

const [one = "", two = "", three = ""] = SECRETS
const GRANTED = "granted with session token"
const always = (secret: string) => ({ secret, signFrom: 0 })
const kidOf = (token: string) => token.split(".")[1]

describe("F10: key rotation", () => {
  test("a session moves to the new secret by refreshing, and outlives the old one", async () => {
    const rig = createRig({ secrets: [always(one)] })
    const holder = await rig.login()
    const both = rig.process([{ secret: two, signFrom: rig.clock.seconds + 100 }, always(one)])
    const [newKid, oldKid] = await both.ring.kids()
    await rig.refresh(holder, both)
    expect(kidOf(holder.token)).toBe(oldKid)
    rig.clock.seconds += 100
    await rig.refresh(holder, both)
    expect(kidOf(holder.token)).toBe(newKid)
    expect(outcomeOf(await rig.refresh(holder, rig.process([always(two)])))).toBe(GRANTED)
  })

  test("an unknown key id is 503 with an event, never 401; only a retired one is 401", async () => {
    const rig = createRig({ secrets: [always(one)] })
    const holder = await rig.login()
    const kid = kidOf(holder.token) ?? ""
    const request = requestOf(holder)
    rig.calls.length = 0
    const misled = rig.process([always(two)])
    const refusal = { code: "unavailable", status: 503, reason: "keyring_missing", retryAfter: 1 }
    await expect(misled.line.refresh(request)).rejects.toMatchObject(refusal)
    await expect(misled.line.prove(request)).rejects.toMatchObject(refusal)
    const event = { type: "keyring.missing", kid }
    expect(rig.events).toEqual([event, event])
    const retired = rig.process([always(two)], [kid])
    expect(outcomeOf(await retired.line.refresh(request))).toBe("invalid_token")
    const stillConfigured = rig.process([always(two), always(one)], [kid])
    expect(outcomeOf(await stillConfigured.line.refresh(request))).toBe("invalid_token")
    expect(rig.calls).toEqual([])
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
  })

  test("R24: a repeat across the moment of signFrom is the identical answer, on every process", async () => {
    const rig = createRig()
    const secrets = [{ secret: two, signFrom: rig.clock.seconds + 10 }, always(one)]
    const [here, there] = [rig.process(secrets), rig.process(secrets)]
    const holder = await rig.login(here)
    const request = requestOf(holder)
    rig.clock.seconds += 9
    const before = await here.line.refresh(request)
    rig.clock.seconds += 20
    const after = await there.line.refresh(request)
    expect(after.outcome === "granted" && after.refreshToken).toBe(
      before.outcome === "granted" && before.refreshToken,
    )
    expect(outcomeOf(after)).toBe("repeat with session token")
  })

  test("R24: processes whose rings differ serve one session without a false alarm", async () => {
    const rig = createRig()
    const old = rig.process([always(one)])
    const mixed = rig.process([always(two), always(one)])
    const newest = rig.process([always(three), always(two), always(one)])
    const holder = await rig.login(old)
    const fleet = [mixed, newest, old, newest, mixed, old]
    let unavailable = 0
    for (let i = 0; i < 60; i++) {
      const request = requestOf(holder)
      // The answer of the first process is lost; the repeats go to the others, and the last answer to come is kept.
      for (const { line } of [fleet[i % 6] ?? old, fleet[(i + 1) % 6] ?? old, fleet[(i + 2) % 6] ?? old]) {
        const step = await line.refresh(request).catch((error: { code: string }) => {
          expect(error.code).toBe("unavailable")
          unavailable++
          return null
        })
        if (step) {
          expect(step.outcome).toBe("granted")
          accept(holder, request, step)
        }
      }
      rig.clock.seconds += 10
    }
    expect((await rig.row(holder.sid)).gen).toBeGreaterThan(30)
    expect(rig.events.filter(({ type }) => type === "session.reuse_detected")).toEqual([])
    expect(unavailable).toBeGreaterThan(0)
  })
})

test("F10: a login whose secret has been retired since is not repeated, and not taken for our outage", async () => {
  const fixture = await startServer({ secrets: [one] })
  const login = wire(fixture.login())
  const { refresh_token } = await fixture.auth.exchange(login)
  const retiredKids = [String(kidOf(String(refresh_token)))]
  const later = createPkceServer({ ...fixture.options, secrets: [two, one], retiredKids })
  const answer = await call(later, { path: "/exchange", body: login })
  expect([answer.status, parsed(answer).error]).toEqual([409, "exchange_interrupted"])
  expect((await call(fixture.auth, { path: "/exchange", body: login })).status).toBe(200)
  await later.close()
  await fixture.close()
})
