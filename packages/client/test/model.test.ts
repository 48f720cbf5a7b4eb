import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Weather } from "./support/model/model.js"
import { NETWORK_FAULTS } from "./support/model/network.js"
import { run } from "./support/model/run.js"
import type { Random } from "./support/random.js"

// The whole client at the real backend, in virtual time and random weather. A seed makes one run, the same each time:
// SEED=7 npx vitest run ... model.test.ts runs that one alone, SEEDS=100 the first hundred.
const { SEED, SEEDS = 5 } = process.env
const seeds = SEED ? [Number(SEED)] : Array.from({ length: Number(SEEDS) }, (_, index) => index + 1)

const CALM: Weather = { network: 0, kills: 0, storage: 0, sleeps: 0, jumps: 0 }
const STORM: Weather = { network: 0.25, kills: 0.08, storage: 0.05, sleeps: 0.08, jumps: 0.03 }
const WEATHERS: Record<string, Weather> = {
  calm: CALM,
  "a bad network": { ...CALM, network: 0.35 },
  kills: { ...CALM, kills: 0.15 },
  "failing storage": { ...CALM, storage: 0.12 },
  sleep: { ...CALM, sleeps: 0.2 },
  "wrong clocks": { ...CALM, jumps: 0.1 },
  "a storm": STORM,
  "logins, calm": { ...CALM, logins: true },
  "logins, network and kills": { ...CALM, network: 0.2, kills: 0.1, logins: true },
  "logins, sleep": { ...CALM, sleeps: 0.3, logins: true },
  "logins, a storm": { ...STORM, logins: true },
  "cookie, calm": { ...CALM, cookie: true },
  "cookie, a storm": { ...STORM, cookie: true },
  "hosted, calm": { ...CALM, hosted: true, logins: true },
  "hosted, a storm": { ...STORM, hosted: true, logins: true },
  "keychain, a storm": { ...STORM, keychain: true },
  "keychain, kills": { ...CALM, kills: 0.3, keychain: true, logins: true },
}

/** All randomness of a run is of its seed, also the backend's, whose tokens live a random time. */
const backend = vi.hoisted(() => ({ bytes: (length: number) => new Uint8Array(length) }))
vi.mock("#crypto", async (original) => ({
  ...(await original<object>()),
  randomBytes: (length: number) => backend.bytes(length),
}))
vi.mock("#http", () => import("./support/model/provider.js"))

const rejections: unknown[] = []
const hear = (reason: unknown) => void rejections.push(reason)
beforeEach(() => {
  rejections.splice(0)
  process.on("unhandledRejection", hear)
})
afterEach(() => {
  process.off("unhandledRejection", hear)
  vi.restoreAllMocks()
})

const seen = new Set<string>()
const runWith = (seed: number, weather: Weather) =>
  run(seed, weather, (bytes: Random["bytes"]) => {
    backend.bytes = bytes
  })

describe.each(Object.entries(WEATHERS))("R2 R4 R5 R6 R18 C14 the client at its backend: %s", (_, weather) => {
  it.each(seeds)("seed %i", { timeout: 60_000 }, async (seed) => {
    const { problems, log, logins, refreshes, ...more } = await runWith(seed, weather)
    const end = `seed ${seed}, the end of the log:\n${log.slice(-60).join("\n")}`
    expect([...problems, ...rejections], end).toEqual([])
    for (const fault of more.seen) seen.add(fault)
    if (logins > 0) seen.add("login")
    if (refreshes > 0) seen.add("refresh")
  })
})

it("the same seed makes the same run", async () => {
  const [once, again] = [await runWith(1, STORM), await runWith(1, STORM)]
  expect(again.log).toEqual(once.log)
})

it("what can go wrong did, and what should go well too", () => {
  if (SEED) return
  expect([...seen].sort()).toEqual([...NETWORK_FAULTS, "kill", "locked", "login", "refresh", "sleep"].sort())
})
