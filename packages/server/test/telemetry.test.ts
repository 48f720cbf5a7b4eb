import * as api from "@opentelemetry/api"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { memoryStore } from "../src/stores/memory.js"
import { call, type Fixture, parsed, random, s256, startServer, wire } from "./support/server.js"
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

/** The one span of this name. */
function one(name: string, among = recorder.spans()): ReadableSpan {
  const found = among.filter((span) => span.name === name)
  expect(found.map((span) => span.name)).toEqual([name])
  return found[0] as ReadableSpan
}

const traceOf = (span: ReadableSpan) =>
  recorder.spans().filter((other) => other.spanContext().traceId === span.spanContext().traceId)

const childrenOf = (span: ReadableSpan) =>
  recorder
    .spans()
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === span.spanContext().spanId)
    .map(({ name }) => name)
    .sort()

/** From now on two calls of this operation wait for one another: both requests are then in the middle of it. */
function meetAt(operation: "claim" | "advance"): void {
  const store = fixture.options.store ?? memoryStore()
  const run = store[operation] as (...args: unknown[]) => Promise<unknown>
  let open = () => {}
  const both = new Promise<void>((resolve) => {
    open = resolve
  })
  let come = 0
  Object.assign(store, {
    [operation]: async (...args: unknown[]) => {
      if (++come === 2) open()
      await both
      return run(...args)
    },
  })
}

describe("spans", () => {
  it("of a login: the provider's answers and the store's operations below pkce.exchange", async () => {
    const { session_id } = await login()
    const exchange = one("pkce.exchange")
    expect(exchange.parentSpanContext).toBeUndefined()
    // One span for each call that was made, and nothing beside them.
    const { discovery, jwks, token } = fixture.idp.calls
    const operations = Object.entries(fixture.store.calls).flatMap(([name, times]) =>
      Array.from({ length: times }, () => `pkce.store ${name}`),
    )
    expect(operations).toEqual(expect.arrayContaining(["pkce.store claim", "pkce.store create"]))
    expect([discovery, jwks, token]).toEqual([1, 1, 1])
    expect(childrenOf(exchange)).toEqual(["GET", "GET", "POST", ...operations].sort())
    expect(recorder.spans()).toHaveLength(operations.length + 4)
    expect(exchange.kind).toBe(api.SpanKind.INTERNAL)
    expect(exchange.status).toEqual({ code: api.SpanStatusCode.UNSET })
    expect(exchange.attributes).toEqual({
      "pkce.provider": "default",
      "pkce.outcome": "ok",
      "pkce.repeat": false,
      "pkce.session_id": session_id,
    })
    expect(one("pkce.store create").attributes).toEqual({
      "pkce.store.kind": "memory",
      "pkce.store.operation": "create",
      "pkce.outcome": "created",
    })
    const post = one("POST")
    expect(post.kind).toBe(api.SpanKind.CLIENT)
    expect(post.status).toEqual({ code: api.SpanStatusCode.UNSET })
    const { hostname, port } = new URL(fixture.idp.origin)
    expect(post.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "server.address": hostname,
      "server.port": Number(port),
      "url.scheme": "http",
      "url.path": "/oauth/token",
    })
    expect(recorder.spans().every((span) => span.instrumentationScope.name === "@pkce/server")).toBe(true)
  })

  it("of a refresh, and of its repeat, by the wire and by the function", async () => {
    const begun = await login()
    await recorder.forget()
    const body = refreshOf(begun)
    await fixture.auth.refresh(body)
    expect(childrenOf(one("pkce.refresh"))).toEqual(["pkce.store advance"])
    expect(recorder.spans()).toHaveLength(2)
    const attributes = {
      "pkce.provider": "default",
      "pkce.session_id": begun.session_id,
      "pkce.outcome": "ok",
      "pkce.forward": false,
    }
    expect(one("pkce.refresh").attributes).toEqual({ ...attributes, "pkce.repeat": false })
    await recorder.forget()
    await call(fixture.auth, { path: "/refresh", body })
    expect(one("pkce.refresh").attributes).toEqual({ ...attributes, "pkce.repeat": true })
  })

  it("of a login that is asked for again: a repeat, by the function too", async () => {
    const { made } = await login()
    await recorder.forget()
    await fixture.auth.exchange(wire(made))
    expect(one("pkce.exchange").attributes).toMatchObject({ "pkce.outcome": "ok", "pkce.repeat": true })
  })

  it("of a refused login: ERROR with the code, the reason and the error id, and no exception", async () => {
    fixture.idp.faults.token = { status: 400, json: () => ({ error: "invalid_grant" }) }
    const { error, error_id } = await login()
    expect(error).toBe("login_failed")
    const exchange = one("pkce.exchange")
    expect(exchange.status).toEqual({ code: api.SpanStatusCode.ERROR, message: "login_failed" })
    expect(exchange.attributes).toEqual({
      "pkce.provider": "default",
      "pkce.outcome": "login_failed",
      "error.type": "login_failed",
      "pkce.reason": "invalid_grant",
      "pkce.error_id": error_id,
    })
    const post = one("POST")
    expect(post.status.code).toBe(api.SpanStatusCode.ERROR)
    expect(post.attributes).toMatchObject({ "http.response.status_code": 400, "error.type": "400" })
    expect(recorder.spans().flatMap((span) => span.events)).toEqual([])
  })

  it("of a provider that hangs up, and of a store that fails", async () => {
    fixture.idp.faults.token = { hangUp: "after" }
    await login()
    expect(one("POST").attributes).toMatchObject({ "error.type": "reset" })
    expect(one("pkce.exchange").status.message).toBe("exchange_interrupted")
    await recorder.forget()
    Object.assign(fixture.options.store ?? {}, { claim: () => Promise.reject(new Error("no")) })
    fixture.idp.faults = {}
    const { error } = await login()
    expect(error).toBe("unavailable")
    const claim = one("pkce.store claim")
    expect(claim.status).toEqual({ code: api.SpanStatusCode.ERROR, message: "unavailable" })
    expect(claim.attributes).toMatchObject({ "pkce.outcome": "unavailable", "error.type": "unavailable" })
    const exchange = one("pkce.exchange")
    expect(exchange.attributes["pkce.error_id"]).toBe(claim.attributes["pkce.error_id"])
  })

  it("name the provider by the configuration, never by what the client sent", async () => {
    const sent = { ...wire(fixture.login()), provider: "no-such-provider" }
    await expect(fixture.auth.exchange(sent)).rejects.toThrow("invalid_request")
    expect(await recorder.text()).not.toContain("no-such-provider")
    expect(one("pkce.exchange").attributes["pkce.outcome"]).toBe("invalid_request")
  })
})

describe("two requests at once", () => {
  it("have a trace each, below the span that each began in", async () => {
    await login()
    await recorder.forget()
    meetAt("claim")
    const send = (name: string) =>
      api.trace.getTracer("app").startActiveSpan(name, async (span) => {
        const grant = await login()
        span.end()
        return grant
      })
    const names = ["first", "second"]
    const grants = await Promise.all(names.map(send))
    const traces = names.map((name) => traceOf(one(name)))
    expect(traces.flat()).toHaveLength(recorder.spans().length)
    for (const [index, name] of names.entries()) {
      const trace = traces[index]
      expect(childrenOf(one(name))).toEqual(["pkce.exchange"])
      const exchange = one("pkce.exchange", trace)
      expect(exchange.attributes["pkce.session_id"]).toBe(grants[index]?.session_id)
      for (const below of ["pkce.store claim", "POST", "pkce.store create"]) one(below, trace)
      expect(childrenOf(exchange)).toHaveLength((trace?.length ?? 0) - 2)
    }
  })

  it("each hear of their own events: a repeat beside a first use", async () => {
    const [repeated, fresh] = [await login(), await login()]
    const again = refreshOf(repeated)
    await fixture.auth.refresh(again)
    await recorder.forget()
    meetAt("advance")
    await Promise.all([fixture.auth.refresh(again), fixture.auth.refresh(refreshOf(fresh))])
    const told = recorder
      .spans()
      .filter(({ name }) => name === "pkce.refresh")
      .map(({ attributes }) => [attributes["pkce.session_id"], attributes["pkce.repeat"]])
    expect(new Map(told as [string, boolean][])).toEqual(
      new Map([
        [repeated.session_id, true],
        [fresh.session_id, false],
      ]),
    )
  })
})

it("J6: what is observed still has the caller: a session that is bound to a cookie is opened and refreshed", async () => {
  const headers = {
    "content-type": "application/json",
    "pkce-protocol": "1",
    "sec-fetch-site": "same-origin",
  }
  const request = fixture.login({ bind: "cookie" })
  const opened = await call(fixture.auth, {
    path: "/exchange",
    body: wire(request),
    headers,
    address: "192.0.2.7",
  })
  const { refresh_token, session_id } = parsed(opened)
  const [cookie = ""] = String(opened.headers["Set-Cookie"]).split(";")
  const body = {
    refresh_token,
    session_verifier: request.verifier,
    session_challenge: s256(random()),
  }
  const refresh = (sent: object) =>
    call(fixture.auth, { path: "/refresh", body, headers: { ...headers, ...sent } })
  expect((await refresh({})).status).toBe(401)
  expect((await refresh({ cookie })).status).toBe(200)
  expect((await fixture.store.find(session_id)).row?.device).toContain("192.0.2.0")
})
