import { describe, expect, it, vi } from "vitest"
import { PkceError } from "../errors.js"
import { answer } from "../testing/answers.js"
import { fakeClock } from "../testing/clock.js"
import { type Call, createWire, errorOf, isFinal, unknown } from "./wire.js"

const BASE = "https://api.example.com/auth"
const GET: Call = { method: "GET", path: "/config" }

const answerTo = (response: Response) =>
  createWire(
    async () => response,
    fakeClock(),
    () => BASE,
  ).send(GET)

/** The request that a call makes. */
async function requestOf(call: Call, credentials?: RequestCredentials) {
  const http = vi.fn<typeof fetch>(async () => answer(200, {}))
  await createWire(http, fakeClock(), () => BASE, credentials).send(call)
  const [url, init] = http.mock.calls[0] ?? []
  return { ...init, url, headers: Object.fromEntries(new Headers(init?.headers)) }
}

describe("a request", () => {
  it("names the protocol, and has a body and a bearer only where there is one", async () => {
    expect(await requestOf(GET)).toMatchObject({
      url: `${BASE}/config`,
      method: "GET",
      headers: { "pkce-protocol": "1" },
      body: undefined,
      credentials: undefined,
      redirect: "error",
    })
    expect((await requestOf({ ...GET, bearer: null })).headers).toEqual({ "pkce-protocol": "1" })
    const full = await requestOf({ method: "POST", path: "/x", body: { a: 1 }, bearer: "b" }, "include")
    expect(full.headers).toEqual({
      "pkce-protocol": "1",
      "content-type": "application/json",
      authorization: "Bearer b",
    })
    expect(full).toMatchObject({ body: '{"a":1}', credentials: "include" })
  })

  it.each([
    [undefined, 10_000],
    [20_000, 10_000],
    [4000, 4000],
  ])("with a timeout of %s ends after %i ms, and is called back", async (timeout, milliseconds) => {
    const clock = fakeClock()
    let signal: AbortSignal | null | undefined
    const http: typeof fetch = (_, init) => {
      signal = init?.signal
      return new Promise(() => {})
    }
    const start = clock.monotonic()
    const sent = createWire(http, clock, () => BASE).send({ ...GET, ...(timeout && { timeout }) })
    expect(signal?.aborted).toBe(false)
    expect(await sent).toEqual(unknown())
    expect(clock.monotonic() - start).toBe(milliseconds)
    expect(signal?.aborted).toBe(true)
  })

  it("P19 needs no AbortController: its answer is then left unheard", async () => {
    vi.stubGlobal("AbortController", undefined)
    const sent = createWire(
      () => new Promise(() => {}),
      fakeClock(),
      () => BASE,
    ).send(GET)
    expect(await sent).toEqual(unknown())
    vi.unstubAllGlobals()
  })

  it("has no timer left once it is answered", async () => {
    const clock = { ...fakeClock(), after: vi.fn(() => stop) }
    const stop = vi.fn()
    await createWire(
      async () => answer(200, {}),
      clock,
      () => BASE,
    ).send(GET)
    await vi.waitFor(() => expect(stop).toHaveBeenCalledOnce())
  })

  it("throws only what is thrown before anything is sent", async () => {
    const error = new PkceError("insecure_endpoint", "configure")
    const refusing = () => {
      throw error
    }
    await expect(createWire(fetch, fakeClock(), refusing).send(GET)).rejects.toBe(error)
    const broken = async () => {
      throw new TypeError("fetch failed")
    }
    expect(await createWire(broken, fakeClock(), () => BASE).send(GET)).toEqual(unknown())
  })
})

describe("Retry-After", () => {
  const headers = (value: string) => ({ "Retry-After": value })

  it.each([
    ["0", 0],
    ["7", 7000],
    ["60", 60_000],
    ["61", 60_000],
    ["86400", 60_000],
    // A date is no number of seconds: then the pause is the client's own.
    ["Wed, 21 Oct 2026 07:28:00 GMT", 0],
    ["soon", 0],
  ])("%s is a wait of %i ms, whoever says so", async (value, wait) => {
    const body = { error: "unavailable", retryable: true }
    expect(await answerTo(answer(503, body, headers(value)))).toMatchObject({ wait, code: "unavailable" })
    expect(await answerTo(new Response("busy", { status: 503, headers: headers(value) }))).toEqual(
      unknown(wait),
    )
    expect(await answerTo(answer(503, "busy", headers(value)))).toEqual(unknown(wait))
    expect(await answerTo(answer(503, { message: "busy" }, headers(value)))).toEqual(unknown(wait))
  })
})

describe("a refusal", () => {
  it.each([
    ["abcd", true],
    ["abc", false],
    ["a".repeat(32), true],
    ["a".repeat(33), false],
    ["Rate_limited", false],
    ["rate_limited!", false],
    ["", false],
    [null, false],
    [undefined, false],
  ])("of the code %j is one: %s", async (error, isOne) => {
    const read = await answerTo(answer(429, { error, retryable: true }))
    expect(read).toMatchObject(isOne ? { code: error, status: 429 } : unknown())
    expect("status" in read).toBe(isOne)
  })

  it.each([
    ["0123456789abcdef", true],
    ["0123456789abcdef0", false],
    ["0123456789abcde", false],
    ["0123456789abcdeg", false],
    [undefined, false],
  ])("has the error id %j: %s", async (error_id, isOne) => {
    const { errorId } = await answerTo(answer(503, { error: "unavailable", error_id }))
    expect(errorId).toBe(isOne ? error_id : undefined)
  })

  it.each([
    [499, undefined, false],
    [500, undefined, true],
    [503, false, false],
    [503, "yes", false],
    [403, true, true],
    [408, true, true],
    [400, true, false],
    [404, true, false],
    [405, true, false],
    [413, true, false],
    [415, true, false],
  ])("of the status %i that says retryable: %s may be repeated: %s", async (status, said, retryable) => {
    const read = await answerTo(answer(status, { error: "anything", retryable: said }))
    expect(read).toMatchObject({ ok: false, retryable })
    expect(isFinal(read)).toBe(!retryable)
  })
})

it("a success is no refusal, and may be empty", async () => {
  const read = await answerTo(answer(204, null))
  expect(read).toEqual({ ok: true, status: 204, body: {}, retryable: false, wait: 0 })
  expect(isFinal(read)).toBe(false)
})

describe("errorOf", () => {
  it("is `network` where the backend did not speak, which may always be repeated", () => {
    expect(errorOf(unknown(), "refresh")).toMatchObject({
      code: "network",
      phase: "refresh",
      retryable: true,
      retryAfter: undefined,
    })
    // A success without what it should have brought.
    const empty = { ...unknown(), ok: true, retryable: false }
    expect(errorOf(empty, "start")).toMatchObject({ code: "network", retryable: true })
  })

  it("is the backend's own code, whose wait is in whole seconds, rather too long than too short", () => {
    const refused = { ...unknown(1500), code: "rate_limited" as const, errorId: "0123456789abcdef" }
    expect(errorOf(refused, "exchange")).toMatchObject({
      code: "rate_limited",
      retryable: true,
      retryAfter: 2,
      errorId: "0123456789abcdef",
    })
    expect(errorOf({ ...refused, retryable: false }, "exchange").retryable).toBe(false)
  })
})
