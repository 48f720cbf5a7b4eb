import { expect, test } from "vitest"
import { createVerifiedCache } from "./cache.js"
import { createGenerations } from "./generations.js"

const session = (id: string, expiresAt = 1000) => ({ id, user: { sub: "u" }, expiresAt })

test("G11: a map of generations is bounded, and keeps the latest", () => {
  const map = createGenerations<number>(100)
  for (let i = 0; i < 10_000; i++) {
    map.set(`${i}`, i)
    expect(map.size()).toBeLessThanOrEqual(200)
  }
  for (let i = 9_900; i < 10_000; i++) expect(map.get(`${i}`)).toBe(i)
  expect(map.get("1")).toBeUndefined()
})

test("what is used stays", () => {
  const map = createGenerations<number>(10)
  map.set("kept", 1)
  for (let i = 0; i < 1000; i++) {
    map.set(`${i}`, i)
    if (i % 5 === 0) expect(map.get("kept")).toBe(1)
  }
})

test("a session is remembered until it expires", () => {
  const cache = createVerifiedCache(300)
  expect(cache.get("digest", 0)).toBeUndefined()
  expect(cache.admit("digest", session("a"), 0)).toEqual(session("a"))
  expect(cache.get("digest", 999)).toEqual(session("a"))
  expect(cache.get("digest", 1000)).toBeNull()
  expect(cache.admit("late", session("a"), 1000)).toBeNull()
  expect(cache.get("late", 0)).toBeUndefined()
})

test("F11: a forgotten session stays forgotten for as long as a token of it can live", () => {
  const cache = createVerifiedCache(300)
  cache.forget("first", 0)
  cache.forget("a", 299)
  for (let now = 300; now < 599; now += 10) cache.forget(`other ${now}`, now)
  expect(cache.admit("digest", session("a"), 598)).toBeNull()
  for (let now = 600; now < 1200; now += 10) cache.forget(`other ${now}`, now)
  expect(cache.admit("digest", session("a", 5000), 1200)).not.toBeNull()
})
