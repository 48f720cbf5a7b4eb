import { expect, test } from "vitest"
import type { SessionRow } from "../stores/contract.js"
import { memoryStore } from "../stores/memory.js"
import { type BrokenStores, failures, turn } from "./store-conformance.fixture.js"
import { storeConformance } from "./store-conformance.js"

/** Each must fail the kit, and fail it for its own fault. */
const broken: BrokenStores = {
  "advance reads, then writes": {
    fault(good) {
      const overwritten = new Map<string, SessionRow>()
      return {
        async advance(step) {
          const { row, now } = await good.find(step.sid)
          await turn()
          if (!row) return { outcome: "missing", now }
          if (row.gen !== step.expect.gen || row.cur.some((byte, i) => byte !== step.expect.cur[i])) {
            return { outcome: "refused", row, now }
          }
          await good.advance(step)
          overwritten.set(step.sid, row)
          return { outcome: "advanced", row: { ...row, ...step.next }, now }
        },
      }
    },
    caught: /200 advances that race/,
  },
  "advance forgets the limits": {
    fault: (good) => ({
      async advance(step) {
        const result = await good.advance(step)
        return result.outcome === "refused" &&
          result.row.revokedAt === null &&
          result.row.gen === step.expect.gen
          ? { ...result, outcome: "advanced" }
          : result
      },
    }),
    caught: /idle limit by the store's clock/,
  },
  "advance ignores a revocation": {
    fault: (good) => ({
      async advance(step) {
        const result = await good.advance(step)
        return result.outcome === "refused" && result.row.revokedAt !== null
          ? { ...result, outcome: "advanced" }
          : result
      },
    }),
    caught: /refuses a revoked session/,
  },
  "the ring is left as it was": {
    fault: (good) => ({
      async advance(step) {
        const { row } = await good.find(step.sid)
        return good.advance({ ...step, history: { ring: row?.history ?? new Uint8Array(256) } })
      },
    }),
    caught: /one mark of the ring/,
  },
  "create overwrites": {
    fault(good) {
      const kept = new Map<string, SessionRow>()
      return {
        async create(session) {
          const result = await good.create(session)
          if (result.outcome !== "exists") return result
          kept.set(session.sid, result.row)
          return { ...result, outcome: "created" }
        },
      }
    },
    caught: /create-if-absent/,
  },
  "create forgets notAfter": {
    fault: (good) => ({
      create: (session) => good.create({ ...session, notAfter: Number.MAX_SAFE_INTEGER }),
    }),
    caught: /notAfter/,
  },
  "bytes pass through UTF-8": {
    fault: (good) => ({
      create: (session) =>
        good.create({ ...session, cur: new TextEncoder().encode(new TextDecoder().decode(session.cur)) }),
    }),
    caught: /every byte/,
  },
  "revoke overwrites the reason": {
    fault: (good) => ({
      async revoke(sid, reason) {
        await good.revoke(sid, reason)
        return true
      },
    }),
    caught: /true once/,
  },
  "revokeByUser forgets the exception": {
    fault: (good) => ({ revokeByUser: (sub, reason) => good.revokeByUser(sub, reason) }),
    caught: /revokeByUser/,
  },
  "claim reads, then writes": {
    fault: (good) => ({
      async claim(kind, key, value, ttlSeconds) {
        const before = await good.claim(kind, key, value, ttlSeconds)
        await turn()
        return before.outcome === "taken" && before.value !== value && key.length === 22
          ? { outcome: "claimed", now: before.now }
          : before
      },
    }),
    caught: /50 claims that race/,
  },
  "one key space for all kinds": {
    fault: (good) => ({
      claim: (_, key, value, ttlSeconds) => good.claim("code", key, value, ttlSeconds),
      take: (_, key) => good.take("code", key),
    }),
    caught: /key spaces of their own/,
  },
  "settle does not compare": {
    fault: (good) => ({
      async settle(kind, key, _, value) {
        const held = await good.claim(kind, key, "", 60)
        return held.outcome === "taken" && good.settle(kind, key, held.value, value)
      },
    }),
    caught: /settle replaces the expected value/,
  },
  "take does not delete": {
    fault: (good) => ({
      async take(kind, key) {
        const held = await good.claim(kind, key, "", 60)
        return held.outcome === "taken" ? held.value : null
      },
    }),
    caught: /50 takes that race/,
  },
  "peek takes": {
    fault: (good) => ({ peek: (kind, key) => good.take(kind, key) }),
    caught: /leaves it there/,
  },
  "peek looks through all kinds": {
    fault: (good) => ({
      async peek(_, key) {
        for (const kind of ["code", "ticket", "handoff", "login", "jti", "logout"] as const) {
          const value = await good.peek(kind, key)
          if (value !== null) return value
        }
        return null
      },
    }),
    caught: /key spaces of their own/,
  },
  "peek shows what is over": {
    fault(good) {
      const seen = new Map<string, string>()
      return {
        async peek(kind, key) {
          const value = await good.peek(kind, key)
          if (value !== null) seen.set(key, value)
          return value ?? (kind === "handoff" ? (seen.get(key) ?? null) : null)
        },
      }
    },
    caught: /ends with its time/,
  },
  "sweep deletes whatever it finds": {
    fault(good) {
      const swept = new Set<string>()
      return {
        async find(sid) {
          const { row, now } = await good.find(sid)
          return { row: swept.size > 0 ? null : row, now }
        },
        async sweep(limit) {
          swept.add("all")
          return good.sweep(limit)
        },
      }
    },
    caught: /sweep deletes/,
  },
}

test("a sound store fails nothing", async () => {
  expect(await failures(() => ({}))).toEqual([])
})

for (const [name, { fault, caught }] of Object.entries(broken)) {
  test(`G10: the kit catches a store whose fault is: ${name}`, async () => {
    expect(await failures(fault)).toContainEqual(expect.stringMatching(caught))
  })
}

test("the store is closed when its case fails too", async () => {
  let closed = 0
  const close = async () => {
    closed++
  }
  const cases = storeConformance(async () => {
    const store = { ...memoryStore(), find: () => Promise.reject(new Error("down")) }
    return { store, close }
  })
  await Promise.allSettled(cases.map(({ run }) => run()))
  expect(closed).toBe(cases.length)
})
