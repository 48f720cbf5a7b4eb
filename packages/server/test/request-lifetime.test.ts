import { afterEach, describe, expect, it } from "vitest"
import type { HttpClient } from "../src/runtime/http.js"
import * as web from "../src/runtime/http.web.js"
import { observedHttp } from "../src/telemetry/http.js"
import type { Instruments } from "../src/telemetry/instruments.js"
import type { Observer } from "../src/telemetry/observe.js"
import { createProviderGrants } from "../src/vault/provider-grants.js"
import { openRoom, type Room } from "./support/provider-room.js"

// Workers end what a request has begun when the request is answered or its client goes away: it never settles then, and whoever
// waits for it waits for ever.

let room: Room
afterEach(() => room?.close())

const OPTIONS = { allowPrivateAddresses: false, allowLoopback: false }
const never = new Promise<never>(() => {})

/** A client like that of Workers: while `dying`, calls are made for requests that die before the answer. */
async function open() {
  const state = { dying: false, sent: [] as string[] }
  const wrapHttp = (http: HttpClient): HttpClient => ({
    ...http,
    endsWithRequest: true,
    send(request) {
      state.sent.push(new URL(request.url).pathname)
      return state.dying ? never : http.send(request)
    },
  })
  room = await openRoom({ wrapHttp })
  return state
}

const started = () => new Promise((resolve) => setImmediate(resolve))

describe("a runtime that ends what a request began together with the request", () => {
  it("is known to whoever uses the client, also with telemetry around it", async () => {
    await open()
    expect(room.providers.endsWithRequest).toBe(true)
    const http = { ...web.createHttpClient(OPTIONS), endsWithRequest: true }
    expect(observedHttp(http, {} as Observer, {} as Instruments).endsWithRequest).toBe(true)
  })

  it("begins nothing behind the answer of /config", async () => {
    const state = await open()
    await room.provider.config()
    await started()
    expect(state.sent).toEqual(["/.well-known/openid-configuration"])
  })

  it("no login waits for metadata or keys that a dead request was loading", async () => {
    const state = await open()
    state.dying = true
    void room.provider.config()
    await started()
    state.dying = false
    await room.provider.config()

    state.dying = true
    void room.redeem().catch(() => {})
    await started()
    expect(state.sent.at(-1)).toBe("/.well-known/jwks.json")
    state.dying = false
    expect((await room.redeem()).subject).toBe("user-1")
  })

  it("metadata that is due is renewed before the answer, and an outage leaves the old in use", async () => {
    const state = await open()
    await room.provider.config()
    room.idp.faults.discovery = {
      json: (body) => ({ ...body, authorization_endpoint: `${room.idp.issuer}/new` }),
    }
    room.advance(3601)
    expect((await room.provider.config()).authorization_endpoint).toBe(`${room.idp.issuer}/new`)
    room.idp.faults.discovery = { status: 400 }
    room.advance(3601)
    expect((await room.provider.config()).authorization_endpoint).toBe(`${room.idp.issuer}/new`)
    expect(state.sent).toHaveLength(3)
  })

  it("no call for a provider's token waits for another one's", async () => {
    let asked = 0
    const find = () => {
      asked++
      return never
    }
    const grantsOf = (endsWithRequest: boolean) =>
      createProviderGrants({
        store: { find },
        providers: { get: () => undefined, endsWithRequest },
      } as unknown as Parameters<typeof createProviderGrants>[0])
    for (const [ends, calls] of [
      [true, 2],
      [false, 1],
    ] as const) {
      asked = 0
      const grants = grantsOf(ends)
      void grants.accessToken("sid")
      void grants.accessToken("sid")
      expect(asked).toBe(calls)
    }
  })

  it("the client on the platform's fetch says so, except on Bun, whose process goes on", () => {
    expect(web.createHttpClient(OPTIONS).endsWithRequest).toBe(true)
    Object.assign(globalThis, { Bun: {} })
    try {
      expect(web.createHttpClient(OPTIONS).endsWithRequest).toBe(false)
    } finally {
      delete (globalThis as { Bun?: unknown }).Bun
    }
  })
})
