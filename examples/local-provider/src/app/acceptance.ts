import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { PkceClient } from "@pkce/client"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { environmentOf } from "../acceptance.js"
import { type LocalProvider, startLocalProvider } from "../provider.js"
import { type RunningExample, runExample } from "../run-example.js"
import { compile } from "./compile.js"
import { createDevice, type Device, type Modules } from "./device.js"
import { start } from "./start.js"

/** The page of a Capacitor app on iOS; it asks its backend across origins. */
const WEB_VIEW = "capacitor://localhost"
const CALLBACK = "com.example.app://auth/callback"
const backendFolder = fileURLToPath(new URL("../../../express", import.meta.url))

interface AppUnderTest {
  /** The app's folder. Its `src/auth.ts` exports `auth`, and its `test/modules.test-d.ts` says what must be refused. */
  folder: string
  /** What the device brings in a new process of the app. */
  modules(device: Device): Modules
  /** What a thief makes of a file of the app. Without it the app keeps no file at all. */
  decode?(file: string): string
}

/** What every app of phones and desktops must do, shown with its own source, a real provider and a real backend. */
export function appAcceptance(name: string, { folder: app, modules, decode }: AppUnderTest) {
  describe(name, () => {
    let folder: string
    let provider: LocalProvider
    let backend: RunningExample

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "pkce-app-"))
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

    /** What the app was answered with, and never shows. */
    const tokens = new Set<string>()
    /** To whom the backend's handler has opened its answers. */
    const readers = new Set<string | null>()

    beforeEach(() => {
      // The app names its backend by its public address; on this machine it is the Express example.
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

    it("logs in by the app's own scheme, calls, is found again after a restart, logs out", async () => {
      const device = createDevice(`user of ${name}`, await mkdtemp(join(folder, "device-")))
      const launch = async () => {
        device.kill()
        return (await start<{ auth: PkceClient }>(app, "src/auth.ts", modules(device), folder)).auth
      }

      const first = await launch()
      expect((await first.restore()).session).toBeNull()
      expect(await first.login()).toMatchObject({ status: "signed_in" })
      expect(device.visited.map((url) => url.split("?")[0])).toEqual([CALLBACK])

      const again = await launch()
      expect((await again.restore()).session?.id).toBe(first.session?.id)
      expect(await (await again.fetch("/me")).json()).toMatchObject({
        user: { sub: first.session?.user?.sub },
      })
      expect(await again.sessions.list()).toEqual([expect.objectContaining({ current: true })])

      // What a backup or another program can read holds no token.
      const entries = await readdir(device.folder, { recursive: true, withFileTypes: true })
      const files = await Promise.all(
        entries
          .filter((entry) => entry.isFile())
          .map((file) => readFile(join(file.parentPath, file.name), "utf8")),
      )
      expect(files.length > 0).toBe(decode !== undefined)
      const readable = [...files, ...files.map((file) => decode?.(file)), device.settingsAsRead()].join()
      expect(tokens.size).toBeGreaterThanOrEqual(2)
      for (const token of tokens) expect(readable.includes(token)).toBe(false)

      expect([...readers]).toEqual([WEB_VIEW])

      await again.logout()
      expect((await (await launch()).restore()).session).toBeNull()
    })

    it("compiles against the types of the real native modules, which refuse what is wrong", () => {
      const { status, errors, files } = compile(app)
      expect(errors).toEqual([])
      expect(status).toBe(0)
      expect(files).toContainEqual(expect.stringMatching(/\/modules\.test-d\.ts$/))
    })
  })
}
