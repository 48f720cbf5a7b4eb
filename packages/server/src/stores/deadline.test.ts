import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { newSession, stepOf } from "../testing/conformance/case.js"
import { withinDeadline } from "./deadline.js"
import { postgresStore } from "./postgres.js"
import { redisStore } from "./redis.js"
import { newRow } from "./rows.js"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const never = () => new Promise<never>(() => undefined)
const silentRedis = {
  isCluster: false,
  callBuffer: never,
  duplicate: never as never,
  on: () => undefined,
  off: () => undefined,
}

test.each([
  ["PostgreSQL", postgresStore({ query: never })],
  ["Redis", redisStore(silentRedis)],
])("GR6: %s without an answer is an error after two seconds", async (_, store) => {
  const row = newRow(newSession(), 0)
  const session = newSession()
  const calls = [
    store.create(session),
    store.advance(stepOf(row, 1)),
    store.find("x"),
    store.revoke("x", "logout"),
    store.listByUser("x"),
    store.revokeByUser("x", "logout"),
    store.claim("code", "x", "x", 1),
    store.settle("code", "x", "x", "x"),
    store.release("code", "x", "x"),
    store.take("code", "x"),
  ]
  const all = Promise.allSettled(calls)
  await vi.advanceTimersByTimeAsync(2000)
  expect((await all).map(({ status }) => status)).toEqual(calls.map(() => "rejected"))
})

test("an answer or an error in time is passed on, and leaves no timer", async () => {
  expect(await withinDeadline(Promise.resolve(1))).toBe(1)
  await expect(withinDeadline(Promise.reject(new Error("down")))).rejects.toThrow("down")
  expect(vi.getTimerCount()).toBe(0)
})
