import { EventEmitter } from "node:events"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceClient } from "../client.js"
import { systemClock } from "../session/clock.js"
import { fakeBackend, provider } from "../testing/backend.js"
import { codeOf, honest, REDIRECT } from "../testing/device.js"
import { type ElectronModules, electron } from "./electron.js"

let folder: string
let app: EventEmitter & { getPath(): string }
let opened: string[]
let keyring: { available: boolean; backend: string }
let argv: string[]
const backend = fakeBackend({ ...systemClock, advance() {}, jump() {} })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-electron-"))
  app = Object.assign(new EventEmitter(), { getPath: () => folder })
  opened = []
  keyring = { available: true, backend: "gnome_libsecret" }
  argv = process.argv
})
afterEach(async () => {
  process.argv = argv
  await rm(folder, { recursive: true })
})

/** Not a cipher: enough that a test sees what was given to it. */
const flip = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0x5a))
const modules = (): ElectronModules => ({
  app,
  shell: { openExternal: async (url) => void opened.push(url) },
  safeStorage: {
    isEncryptionAvailable: () => keyring.available,
    encryptString: (text) => flip(Buffer.from(text)),
    decryptString: (encrypted) => flip(encrypted).toString(),
    getSelectedStorageBackend: () => keyring.backend,
  },
})
const start = (options = {}) =>
  createPkceClient({
    server: "https://api.example.com/auth",
    redirectUri: REDIRECT,
    providers: [provider],
    platform: { ...electron(modules(), options), http: backend.http },
  })
/** What the operating system does with a link. */
const openUrl = (url: string) => app.emit("open-url", { preventDefault: () => undefined }, url)
const secondInstance = (url: string) => app.emit("second-instance", {}, ["/usr/bin/app", "--flag", url])

describe("electron", () => {
  it.each([
    ["macOS: open-url", openUrl],
    ["Windows and Linux: second-instance", secondInstance],
  ])("P20: logs in by a link (%s)", async (_, deliver) => {
    const auth = start()
    const login = auth.login()
    await expect.poll(() => opened.length).toBe(1)
    deliver("com.example.app://something/else")
    deliver(honest(backend, opened[0] ?? ""))
    expect(await login).toMatchObject({ status: "signed_in" })
    expect((await start().restore()).session?.id).toBe(auth.session?.id)
  })

  it("P20: a link that came before anybody listened, or as an argument, finishes the login of the app before", async () => {
    for (const cold of ["open-url", "argv"]) {
      const first = start()
      const controller = new AbortController()
      const login = first.login({ signal: controller.signal })
      await expect.poll(() => opened.length).toBe(1)
      const callback = honest(backend, opened.pop() ?? "")
      controller.abort()
      expect(await login).toEqual({ status: "cancelled" })
      app.removeAllListeners()

      if (cold === "argv") process.argv = [...argv, callback]
      const next = start()
      if (cold === "open-url") openUrl(callback)
      const restored = await next.restore()
      await expect.poll(() => next.session).not.toBeNull()
      if (cold === "argv") expect(restored.login).toMatchObject({ status: "signed_in" })
      process.argv = argv
      await next.logout()
    }
  })

  it("K5: what is on the disk is what the system encrypted, in a file of the user alone", async () => {
    const auth = start()
    const login = auth.login()
    await expect.poll(() => opened.length).toBe(1)
    openUrl(honest(backend, opened[0] ?? ""))
    await login
    const [file = ""] = await readdir(join(folder, "pkce"))
    const text = await readFile(join(folder, "pkce", file), "utf8")
    expect(text).toMatch(/^\{"sealed":"[A-Za-z0-9+/=]+"\}$/)
    expect(text).not.toContain(auth.session?.id)
  })

  it.each([
    ["none", { available: false }],
    ["one with a key that everybody knows", { backend: "basic_text" }],
  ])("without a keyring (%s) nothing is stored, and it says so", async (_, change) => {
    Object.assign(keyring, change)
    expect(await codeOf(start().login())).toBe("storage_unavailable")
    expect(opened).toEqual([])
    expect(await readdir(folder)).toEqual([])
  })

  it("unless that is admitted, where the system can encrypt at all", async () => {
    keyring.backend = "basic_text"
    expect((await start({ allowWeakStorage: true }).restore()).session).toBeNull()
  })

  it("a file that the system cannot decrypt is no empty one", async () => {
    const auth = start()
    const login = auth.login()
    await expect.poll(() => opened.length).toBe(1)
    openUrl(honest(backend, opened[0] ?? ""))
    await login
    const [file = ""] = await readdir(join(folder, "pkce"))
    await writeFile(join(folder, "pkce", file), '{"sealed":"broken"}')
    const broken = modules()
    broken.safeStorage.decryptString = () => {
      throw new Error("cannot decrypt")
    }
    const platform = { ...electron(broken), http: backend.http }
    const other = createPkceClient({
      server: "https://api.example.com/auth",
      redirectUri: REDIRECT,
      platform,
    })
    expect(await codeOf(other.restore())).toBe("storage_unavailable")
  })
})
