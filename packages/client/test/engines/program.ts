import { createPkceClient } from "../../src/client.js"
import { createPkcePair } from "../../src/pkce/pair.js"
import { nativeBrowser, nativeCrypto } from "../../src/platforms/native.js"
import type { Platform } from "../../src/platforms/ports.js"
import { slotStorage } from "../../src/platforms/slots.js"

// Runs inside a bare engine: no crypto, URL, TextEncoder, Buffer, atob, fetch, AbortController, console or timers. What a
// platform gives is made here of plain objects; the host calls `run` and reads what it resolves with.

declare const host: { random(length: number): number[]; sha256(text: string): string }

const values = new Map<string, string>()
const crypto = nativeCrypto((length) => Uint8Array.from(host.random(length)))
const sent: string[] = []
let now = 1_900_000_000_000
let generation = 0

const decoded = (url: string, name: string) =>
  decodeURIComponent(new RegExp(`[?&]${name}=([^&]*)`).exec(url)?.[1] ?? "")

const http = (async (url: string, init: RequestInit) => {
  sent.push(`${init.method} ${url}`)
  const grant = {
    token_type: "Bearer",
    session_id: "A".repeat(22),
    session_token: `st.${generation}`,
    expires_in: 300,
    refresh_token: `rt.${generation++}`,
    refresh_expires_in: 1000,
    server_time: 1_900_000_000,
    user_info: { sub: "u1", name: "Adä \u{1F600}" },
  }
  return {
    ok: true,
    status: 200,
    headers: { get: (name: string) => (name === "Pkce-Protocol" ? "1" : null) },
    text: async () => JSON.stringify(grant),
  }
}) as unknown as typeof fetch

const platform: Platform = {
  name: "bare",
  crypto,
  http,
  clock: {
    wall: () => now,
    monotonic: () => now,
    after: () => () => undefined,
  },
  browser: nativeBrowser({
    open: async (url) => ({
      type: "callback",
      url: `app://callback?code=c&state=${encodeURIComponent(decoded(url, "state"))}&iss=${encodeURIComponent("https://id.example/")}`,
    }),
    close: () => undefined,
    visit: () => undefined,
  }),
  storage: slotStorage(
    {
      get: async (key) => values.get(key) ?? null,
      set: async (key, value) => void values.set(key, value),
      delete: async (key) => void values.delete(key),
    },
    { name: "pkce", limit: 2048, isLocked: () => false, randomText: () => "x" },
  ),
}

const start = () =>
  createPkceClient({
    server: "https://api.example.com/auth",
    redirectUri: "app://callback",
    platform,
    providers: [
      {
        id: "main",
        issuer: "https://id.example/",
        authorization_endpoint: "https://id.example/authorize",
        client_id: "app",
        scope: "openid",
        iss_in_callback: true,
        authorization_params: {},
      },
    ],
  })

async function run(): Promise<unknown> {
  const pair = await createPkcePair(crypto)
  const auth = start()
  const login = await auth.login()
  now += 3_600_000
  const token = await auth.getSessionToken()
  const again = start()
  const { session } = await again.restore()
  return { pair, login: login.status, token, session, sent }
}

Object.assign(globalThis, { run })
