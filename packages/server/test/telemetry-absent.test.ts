import * as api from "@opentelemetry/api"
import { beforeEach, expect, it, vi } from "vitest"
import { createEmit } from "../src/emit.js"
import { createApi } from "../src/http/api.js"
import { guardStore } from "../src/http/guarded-store.js"
import { persistRevocations } from "../src/http/persistent-revocations.js"
import type { Rooms } from "../src/http/rooms.js"
import { callbackRoute } from "../src/http/routes/callback.js"
import { exchangeRoute } from "../src/http/routes/exchange.js"
import { pollRoute } from "../src/http/routes/poll.js"
import { redeemRoute } from "../src/http/routes/redeem.js"
import { refreshRoute } from "../src/http/routes/refresh.js"
import { startRoute } from "../src/http/routes/start.js"
import { createExchange } from "../src/http/use-cases/exchange.js"
import { createHostedBrowser } from "../src/http/use-cases/hosted-browser.js"
import { createHostedRedeem } from "../src/http/use-cases/hosted-redeem.js"
import { createHostedStart } from "../src/http/use-cases/hosted-start.js"
import { createRefresh } from "../src/http/use-cases/refresh.js"
import { createProvider } from "../src/provider/provider.js"
import { createHttpClient } from "../src/runtime/http.node.js"
import { startServer } from "./support/server.js"

// The real parts; only what each is given and gives back is looked at.
vi.mock("../src/emit.js", { spy: true })
vi.mock("../src/http/api.js", { spy: true })
vi.mock("../src/http/guarded-store.js", { spy: true })
vi.mock("../src/http/persistent-revocations.js", { spy: true })
vi.mock("../src/http/routes/callback.js", { spy: true })
vi.mock("../src/http/routes/exchange.js", { spy: true })
vi.mock("../src/http/routes/poll.js", { spy: true })
vi.mock("../src/http/routes/redeem.js", { spy: true })
vi.mock("../src/http/routes/refresh.js", { spy: true })
vi.mock("../src/http/routes/start.js", { spy: true })
vi.mock("../src/http/use-cases/exchange.js", { spy: true })
vi.mock("../src/http/use-cases/hosted-browser.js", { spy: true })
vi.mock("../src/http/use-cases/hosted-redeem.js", { spy: true })
vi.mock("../src/http/use-cases/hosted-start.js", { spy: true })
vi.mock("../src/http/use-cases/refresh.js", { spy: true })
vi.mock("../src/provider/provider.js", { spy: true })
vi.mock("../src/runtime/http.node.js", { spy: true })

beforeEach(() => void vi.clearAllMocks())

const made = (parts: (...args: never[]) => unknown) => vi.mocked(parts).mock.results[0]?.value
const given = (parts: (...args: never[]) => unknown, place: number): unknown =>
  (vi.mocked(parts).mock.calls[0] as unknown[] | undefined)?.[place]

/** What each part was made as, and what the parts that use it were given. */
async function pairs(options: { openTelemetry?: typeof api }) {
  const url = "https://api.example.com/auth"
  const { close } = await startServer({ ...options, url, hosted: {} })
  const rooms = given(createApi, 0) as Rooms
  const dependencies = given(createProvider, 1) as Parameters<typeof createProvider>[1]
  await close()
  return {
    store: [made(guardStore), given(persistRevocations, 0)],
    emit: [made(createEmit), rooms.emit],
    http: [made(createHttpClient), dependencies.http],
    exchange: [made(createExchange), given(exchangeRoute, 1)],
    refresh: [made(createRefresh), given(refreshRoute, 1)],
    start: [made(createHostedStart), given(startRoute, 0)],
    callback: [made(createHostedBrowser).callback, given(callbackRoute, 2)],
    redeem: [made(createHostedRedeem).redeem, given(redeemRoute, 1)],
    poll: [made(createHostedRedeem).poll, given(pollRoute, 1)],
  }
}

it("without the option nothing is wrapped: store, events, http and use cases are the very same objects", async () => {
  for (const [name, [own, used]] of Object.entries(await pairs({}))) {
    expect([name, typeof own]).toEqual([name, name === "store" || name === "http" ? "object" : "function"])
    expect([name, used === own]).toEqual([name, true])
  }
})

it("with the option each of them is", async () => {
  for (const [name, [own, used]] of Object.entries(await pairs({ openTelemetry: api })))
    expect([name, used === own]).toEqual([name, false])
})
