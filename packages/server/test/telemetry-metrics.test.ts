import * as api from "@opentelemetry/api"
import { afterEach, beforeEach, expect, it } from "vitest"
import { type Fixture, startServer } from "./support/server.js"
import { loginAt, type Recorder, refreshOf, startRecorder } from "./support/telemetry.js"

let recorder: Recorder
let fixture: Fixture

// The server first: a team whose SDK starts late must not count into nothing.
beforeEach(async () => {
  fixture = await startServer({ openTelemetry: api })
  recorder = startRecorder()
})
afterEach(async () => {
  await fixture.close()
  await recorder.close()
})

const login = () => loginAt(fixture)

it("count logins, refreshes, theft and every event, and time each operation", async () => {
  const begun = await login()
  const first = refreshOf(begun)
  await fixture.auth.refresh(first)
  await fixture.auth.refresh(first)
  // Somebody else's next step, from the same generation: two parties.
  await expect(fixture.auth.refresh(refreshOf(begun))).rejects.toThrow("session_reuse_detected")
  fixture.idp.faults.token = { status: 503, times: 1 }
  await login()
  const provider = { "pkce.provider": "default" }
  const points = await recorder.points()
  const counters = points.filter(({ name }) => !name.endsWith(".duration"))
  const { hostname } = new URL(fixture.idp.origin)
  const sort = (list: typeof points) => list.map((point) => JSON.stringify(point)).sort()
  expect(sort(counters.filter(({ name }) => name !== "pkce.events"))).toEqual(
    sort([
      { name: "pkce.logins", attributes: { ...provider, "pkce.outcome": "succeeded" }, value: 1 },
      {
        name: "pkce.refreshes",
        attributes: { ...provider, "pkce.repeat": false, "pkce.forward": false },
        value: 1,
      },
      {
        name: "pkce.refreshes",
        attributes: { ...provider, "pkce.repeat": true, "pkce.forward": false },
        value: 1,
      },
      { name: "pkce.reuse_detected", attributes: {}, value: 1 },
      {
        name: "pkce.provider.failures",
        attributes: { "server.address": hostname, "error.type": "503" },
        value: 1,
      },
    ]),
  )
  const told = counters.filter(({ name }) => name === "pkce.events")
  const kinds = new Set(fixture.events.map(({ type, reason }) => `${type} ${reason}`))
  expect(new Set(told.map(({ attributes: a }) => `${a["pkce.event.type"]} ${a["pkce.reason"]}`))).toEqual(
    kinds,
  )
  expect(told.reduce((sum, { value }) => sum + value, 0)).toBe(fixture.events.length)
  const timed = (name: string, wanted: api.Attributes) =>
    points
      .filter((point) => point.name === name)
      .filter(({ attributes }) => Object.entries(wanted).every(([key, value]) => attributes[key] === value))
      .reduce((sum, { value }) => sum + value, 0)
  expect(timed("pkce.exchange.duration", { ...provider, "pkce.outcome": "ok" })).toBe(1)
  expect(timed("pkce.exchange.duration", { "error.type": "exchange_interrupted" })).toBe(1)
  expect(timed("pkce.refresh.duration", { "pkce.outcome": "ok" })).toBe(2)
  expect(timed("pkce.refresh.duration", { "pkce.outcome": "session_reuse_detected" })).toBe(1)
  expect(timed("pkce.provider.duration", { "http.request.method": "POST" })).toBe(2)
  expect(timed("pkce.store.duration", { "pkce.store.operation": "advance" })).toBe(3)
  expect(timed("pkce.store.duration", { "pkce.outcome": "advanced" })).toBe(1)
})

it("count refused logins and failures of the store", async () => {
  fixture.idp.faults.token = { status: 400, json: () => ({ error: "invalid_grant" }), times: 1 }
  await login()
  Object.assign(fixture.options.store ?? {}, { claim: () => Promise.reject(new Error("no")) })
  await login()
  const points = await recorder.points()
  const find = (wanted: string) => points.filter(({ name }) => name === wanted)
  expect(find("pkce.logins").map(({ attributes }) => attributes["pkce.outcome"])).toEqual(["failed"])
  expect(find("pkce.store.failures").map(({ value }) => value)).toEqual([1])
})
