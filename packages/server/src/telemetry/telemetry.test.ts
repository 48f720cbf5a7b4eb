import * as api from "@opentelemetry/api"
import { describe, expect, it, vi } from "vitest"
import { call, type Fixture, parsed, startServer, wire } from "../../test/support/server.js"
import type { PkceServerOptions } from "../config/options.js"
import { PkceError } from "../errors.js"
import type { PkceEventInput } from "../events.js"
import type { HttpClient, OutgoingRequest } from "../runtime/http.js"
import { createPkceServer } from "../server.js"
import { createCounts } from "./counts.js"
import { createTelemetry } from "./telemetry.js"
import type { OpenTelemetry, TelemetryAttributes, TelemetrySpan } from "./types.js"

/** An API of OpenTelemetry that keeps what it is told, with every part replaceable. */
function recording(parts: { active?: () => TelemetrySpan | undefined; throws?: boolean } = {}) {
  const spans: { name: string; attributes: TelemetryAttributes; status?: unknown; ended: number }[] = []
  const measured: { name: string; attributes: TelemetryAttributes }[] = []
  const fail = () => {
    if (parts.throws) throw new Error("a span processor of the team's")
  }
  const keep = (name: string) => (_: number, attributes: TelemetryAttributes) => {
    measured.push({ name, attributes })
    fail()
  }
  const openTelemetry: OpenTelemetry = {
    trace: {
      getTracer: () => ({
        startActiveSpan(name, { attributes }, work) {
          const kept = { name, attributes: { ...attributes }, ended: 0 }
          spans.push(kept)
          const span: TelemetrySpan = {
            setAttributes(more) {
              Object.assign(kept.attributes, more)
              fail()
            },
            setStatus(status) {
              Object.assign(kept, { status })
              fail()
            },
            end() {
              kept.ended++
              fail()
            },
          }
          const result = work(span)
          fail()
          return result
        },
      }),
      getActiveSpan: parts.active ?? (() => undefined),
    },
    metrics: {
      getMeter: () => ({
        createCounter: (name) => ({ add: keep(name) }),
        createHistogram: (name) => ({ record: keep(name) }),
      }),
    },
  }
  return { openTelemetry, spans, measured }
}

async function loginAt(fixture: Fixture) {
  const answer = await call(fixture.auth, { path: "/exchange", body: wire(fixture.login()) })
  const { session_id } = parsed(answer)
  const calls = { token: fixture.idp.calls.token, create: fixture.store.calls.create }
  await fixture.close()
  return { status: answer.status, session_id, calls }
}

describe("telemetry costs nobody a login", () => {
  const once = { status: 200, calls: { token: 1, create: 1 } }

  it("where every part of it throws: nothing is done twice", async () => {
    const { openTelemetry, spans, measured } = recording({ throws: true })
    expect(await loginAt(await startServer({ openTelemetry }))).toMatchObject(once)
    expect(spans.find(({ name }) => name === "pkce.exchange")?.ended).toBe(1)
    expect(measured.length).toBeGreaterThan(0)
  })

  it("where no span can be started, no instrument made, and nothing asked", async () => {
    const broken = () => {
      throw new Error("broken")
    }
    const openTelemetry: OpenTelemetry = {
      trace: { getTracer: () => ({ startActiveSpan: broken }), getActiveSpan: broken },
      metrics: { getMeter: broken },
    }
    expect(await loginAt(await startServer({ openTelemetry }))).toMatchObject(once)
  })

  it("where only the API is there and no SDK", async () => {
    expect(await loginAt(await startServer({ openTelemetry: api }))).toMatchObject(once)
  })
})

it("an option that is not the API is a fault of the configuration", () => {
  for (const openTelemetry of [{}, { trace: api.trace }, null, "api"]) {
    const start = () => createPkceServer({ openTelemetry } as unknown as PkceServerOptions)
    expect(start).toThrow("openTelemetry: is not OpenTelemetry: pass the namespace")
  }
})

it("says nothing of a repeat where no context manager tells which span is active", async () => {
  const { openTelemetry, spans } = recording()
  const { session_id } = await loginAt(await startServer({ openTelemetry }))
  const attributes = spans.find(({ name }) => name === "pkce.exchange")?.attributes
  expect(attributes).toMatchObject({ "pkce.outcome": "ok", "pkce.session_id": session_id })
  expect(attributes).not.toHaveProperty("pkce.repeat")
})

describe("the calls of providers", () => {
  const request: OutgoingRequest = {
    method: "GET",
    url: "https://[2001:db8::1]:8443/keys?secret=1#secret",
    headers: { authorization: "secret" },
    body: "secret",
    deadline: 1,
    maxBytes: 1,
  }

  async function sent(answer: Awaited<ReturnType<HttpClient["send"]>>) {
    const { openTelemetry, spans, measured } = recording()
    const http: HttpClient = { send: vi.fn(async () => answer), warm: vi.fn(), close: vi.fn() }
    const observed = createTelemetry(openTelemetry).http(http)
    expect(await observed.send(request)).toBe(answer)
    // As it was: no header for the provider to join its traces to ours.
    expect(http.send).toHaveBeenCalledExactlyOnceWith(request)
    observed.warm("https://idp.example")
    await observed.close()
    expect([http.warm, http.close].map((part) => vi.mocked(part).mock.calls)).toEqual([
      [["https://idp.example"]],
      [[]],
    ])
    expect(JSON.stringify([spans, measured])).not.toContain("secret")
    return { span: spans[0], failures: measured.filter(({ name }) => name === "pkce.provider.failures") }
  }

  const status = (code: number) => ({ status: code, header: () => undefined, body: new Uint8Array() })

  it("have the host and the path, and nothing of the query, the headers or the body", async () => {
    const { span, failures } = await sent(status(304))
    expect(span).toMatchObject({
      name: "GET",
      attributes: {
        "http.request.method": "GET",
        "http.response.status_code": 304,
        "server.address": "2001:db8::1",
        "server.port": 8443,
        "url.scheme": "https",
        "url.path": "/keys",
      },
    })
    expect(span).not.toHaveProperty("status")
    expect(failures).toEqual([])
  })

  it.each([
    ["400", false, status(400)],
    ["429", true, status(429)],
    ["503", true, status(503)],
    ["timeout", true, { failure: "timeout" as const, sent: true }],
    ["blocked_address", true, { failure: "blocked_address" as const, sent: false }],
  ])("%s is an error; a failure of the provider: %s", async (type, counted, answer) => {
    const { span, failures } = await sent(answer)
    expect(span).toMatchObject({ status: { code: 2, message: type }, attributes: { "error.type": type } })
    const attributes = { "server.address": "2001:db8::1", "error.type": type }
    expect(failures.map((failure) => failure.attributes)).toEqual(counted ? [attributes] : [])
  })
})

describe("what is thrown", () => {
  const grants = { list: [{ id: "a" }, { id: "b" }], get: (id: string) => (id === "a" ? { id } : undefined) }

  async function thrownBy(error: unknown) {
    const { openTelemetry, spans, measured } = recording()
    const exchange = createTelemetry(openTelemetry).exchange(() => Promise.reject(error), grants)
    const caught = await exchange({ provider: "a" }, undefined).catch((thrown: unknown) => thrown)
    expect(caught).toBe(error)
    return { span: spans[0], measured }
  }

  it("passes through; the span has the code, and not the message of an exception", async () => {
    const foreseen = new PkceError("login_failed", { reason: "invalid_grant", description: "text" })
    const { span } = await thrownBy(foreseen)
    expect(span?.status).toEqual({ code: 2, message: "login_failed" })
    expect(span?.attributes).toMatchObject({ "pkce.provider": "a", "pkce.error_id": foreseen.errorId })
    const other = await thrownBy(new TypeError("of value secret"))
    expect(other.span?.status).toEqual({ code: 2, message: "internal" })
    expect(JSON.stringify(other)).not.toContain("secret")
  })
})

describe("reasons in metrics are bounded", () => {
  function reasonsOf(events: PkceEventInput[]): unknown[] {
    const { openTelemetry, measured } = recording()
    const emit = createTelemetry(openTelemetry).emit(() => {})
    for (const event of events) emit(event)
    return measured
      .filter(({ name }) => name === "pkce.events")
      .map(({ attributes }) => attributes["pkce.reason"])
  }

  it("the team's own words for a revocation are `other`, ours stay", () => {
    const revoked = (reason: string): PkceEventInput => ({ type: "session.revoked", reason })
    expect(reasonsOf([revoked("logout"), revoked("bob@example.com"), revoked("bob")])).toEqual([
      "logout",
      "other",
      "other",
    ])
  })

  it("an exception's place in the code is left out", () => {
    const refused: PkceEventInput = {
      type: "auth.request.refused",
      code: "internal",
      reason: "exception at exchange.js:1:2",
    }
    expect(reasonsOf([refused])).toEqual(["exception"])
  })

  it("whatever comes, there is an end to it", () => {
    const counted = new Set<unknown>()
    const count = createCounts({
      count: (_, attributes) => void counted.add(attributes["pkce.reason"]),
      record: () => {},
    })
    for (let index = 0; index < 5_000; index++) count({ type: "idp.unavailable", reason: `r${index}` })
    expect(counted.size).toBe(201)
  })
})
