import { describe, expect, test } from "vitest"
import type { Store } from "../src/stores/contract.js"
import { memoryStore } from "../src/stores/memory.js"
import { accept, createRig, DAY, newRow, newVerifier, outcomeOf, requestOf } from "./support/line.js"

const GRANTED = "granted with session token"

describe("the end of a session", () => {
  test("F13: idle and absolute limits hold, in the operation that would prolong the session", async () => {
    const rig = createRig({ idleSeconds: DAY })
    const holder = await rig.login()
    rig.clock.seconds += DAY
    await rig.refresh(holder)
    rig.clock.seconds += DAY - 1
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
    rig.clock.seconds += DAY
    expect(outcomeOf(await rig.refresh(holder))).toBe("session_expired")

    const busy = await rig.login()
    for (let day = 0; day < 89; day++) {
      rig.clock.seconds += DAY - 1
      expect(outcomeOf(await rig.refresh(busy))).toBe(GRANTED)
    }
    rig.clock.seconds += DAY + 89
    expect(outcomeOf(await rig.refresh(busy))).toBe("session_expired")
  })

  test("F11: a revoked session is refused at once, repeats included", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const request = requestOf(holder)
    await rig.refresh(holder)
    await rig.store.revoke(holder.sid, "logout")
    expect(outcomeOf(await rig.line.refresh(request))).toBe("session_revoked")
    expect(outcomeOf(await rig.refresh(holder))).toBe("session_revoked")
    expect(rig.reuses).toEqual([])
  })

  test("a session that was swept has expired; one without a line never could refresh", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const other = createRig()
    expect(outcomeOf(await other.refresh({ ...holder }))).toBe("session_expired")
    const withoutKey = { ...requestOf({ ...holder }), verifier: newVerifier() }
    expect(outcomeOf(await other.line.refresh(withoutKey))).toBe("session_expired")
    const pair = { refreshToken: holder.token, verifier: holder.verifier }
    expect(await other.line.prove(pair)).toBeNull()
    await other.store.create({ ...newRow(holder.sid), cur: new Uint8Array(), history: new Uint8Array(256) })
    expect(outcomeOf(await other.refresh(holder))).toBe("invalid_token")
    expect(await other.line.prove(pair)).toBeNull()
  })

  test("R30: a client that was offline for 29 days with an answer outstanding goes on", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const request = requestOf(holder)
    await rig.line.refresh(request)
    rig.clock.seconds += 29 * DAY
    const step = await rig.line.refresh(request)
    expect(accept(holder, request, step)).toBe(true)
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
  })
})

describe("our own outage", () => {
  const operations = ["advance", "find", "revoke"] as const
  test.each(operations)("G9: a store that fails in %s is 503, and ends nothing", async (operation) => {
    let down = false
    const store = (clock: { now: () => number }): Store => {
      const good = memoryStore(clock)
      const failing = async () => {
        throw new Error("connection to 10.0.0.1 refused")
      }
      return new Proxy(good, {
        get: (target, name: keyof Store) => (down && name === operation ? failing : target[name]),
      })
    }
    const rig = createRig({ store })
    const holder = await rig.login()
    const request = requestOf(holder)
    const withoutKey = { ...request, verifier: newVerifier() }
    down = true
    const asked = operation === "advance" ? request : withoutKey
    const error = await rig.line.refresh(asked).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: "unavailable", status: 503, retryable: true })
    expect(rig.events).toEqual([{ type: "store.failed", error_id: error.errorId }])
    down = false
    expect((await rig.row(holder.sid)).revokedAt).toBeNull()
    expect(outcomeOf(await rig.line.refresh(request))).toBe(GRANTED)
  })

  test("an answer that refuses what it then shows as expected is asked again, and never taken for reuse", async () => {
    let refusals = 1
    const store = (clock: { now: () => number }): Store => {
      const good = memoryStore(clock)
      return {
        ...good,
        async advance(step) {
          const { row, now } = await good.find(step.sid)
          if (refusals-- > 0 && row) return { outcome: "refused", row, now }
          return good.advance(step)
        },
      }
    }
    const rig = createRig({ store })
    const holder = await rig.login()
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
    refusals = Number.POSITIVE_INFINITY
    rig.calls.length = 0
    const contended = { code: "unavailable", reason: "contended", retryAfter: 1 }
    await expect(rig.refresh(holder)).rejects.toMatchObject(contended)
    expect(rig.calls).toEqual(Array(5).fill("advance"))
    refusals = 0
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
  })
})
