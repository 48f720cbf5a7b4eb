import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { PkceClient } from "@pkce/client"
import { type LocalProvider, startLocalProvider } from "@pkce-examples/local-provider"
import { environmentOf } from "@pkce-examples/local-provider/acceptance"
import { type RunningExample, runExample } from "@pkce-examples/local-provider/run-example"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest"
import { createDevice } from "./support/device.js"
import { start } from "./support/start.js"

/** The page of a Capacitor app on iOS; it asks its backend across origins. */
const WEB_VIEW = "capacitor://localhost"
const CALLBACK = "com.example.app://auth/callback"
const backendFolder = fileURLToPath(new URL("../../express", import.meta.url))

let folder: string
let provider: LocalProvider
let backend: RunningExample

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-apps-"))
  provider = await startLocalProvider({ redirectUris: [CALLBACK] })
  const environment = {
    ...environmentOf(provider, folder),
    PKCE_REDIRECT_URIS: CALLBACK,
    PKCE_ALLOWED_ORIGINS: WEB_VIEW,
  }
  backend = await runExample(backendFolder, ["--import", "tsx", "src/server.ts"], environment)
})
afterAll(async () => {
  await backend?.stop()
  await provider?.close()
  await rm(folder, { recursive: true, force: true })
})

/** What the apps were answered with, and never show. */
const tokens = new Set<string>()
/** To whom the backend's handler has opened its answers. */
const readers = new Set<string | null>()

beforeEach(() => {
  tokens.clear()
  readers.clear()
  // The apps name their backend by its public address; on this machine it is the Express example.
  const { fetch } = globalThis
  vi.stubGlobal("fetch", async (input: string | URL, init?: RequestInit) => {
    const url = String(input).replace("https://api.example.com", backend.url)
    const headers = new Headers(init?.headers)
    headers.set("origin", WEB_VIEW)
    const response = await fetch(url, { ...init, headers })
    if (url.startsWith(`${backend.url}/auth/`))
      readers.add(response.headers.get("access-control-allow-origin"))
    const answer = await response
      .clone()
      .json()
      .catch(() => ({}))
    for (const token of [answer.session_token, answer.refresh_token]) if (token) tokens.add(token)
    return response
  })
})
afterEach(() => vi.unstubAllGlobals())

it.each([
  ["expo", "../expo-app/src/auth.ts"],
  ["reactNative", "react-native/src/auth.ts"],
  ["capacitor", "capacitor/src/auth.ts"],
  ["electron", "electron/src/auth.ts"],
] as const)(
  "%s: logs in by the app's own scheme, calls, is found again after a restart, logs out",
  async (kind, entry) => {
    const home = await mkdtemp(join(folder, kind))
    const device = createDevice(`user of ${kind}`, home)
    const launch = async () => {
      device.kill()
      return (await start<{ auth: PkceClient }>(entry, device.modules[kind](), folder)).auth
    }

    const app = await launch()
    expect((await app.restore()).session).toBeNull()
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(device.visited.map((url) => url.split("?")[0])).toEqual([CALLBACK])

    const again = await launch()
    expect((await again.restore()).session?.id).toBe(app.session?.id)
    expect(await (await again.fetch("/me")).json()).toMatchObject({ user: { sub: app.session?.user?.sub } })
    expect(await again.sessions.list()).toEqual([expect.objectContaining({ current: true })])

    // What a backup or another program can read holds no token.
    const files = await readdir(home, { recursive: true, withFileTypes: true })
    expect(files.some((file) => file.isFile())).toBe(kind === "electron")
    const readable = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), "utf8")),
    )
    // Electron's file is JSON of one sealed text, in base64.
    const decoded = readable.map((text) => Buffer.from(String(JSON.parse(text).sealed), "base64").toString())
    readable.push(JSON.stringify([...device.appData]), ...decoded)
    expect(tokens.size).toBeGreaterThanOrEqual(2)
    for (const token of tokens) expect(readable.join().includes(token)).toBe(false)

    expect([...readers]).toEqual([WEB_VIEW])

    await again.logout()
    expect((await (await launch()).restore()).session).toBeNull()
  },
)
