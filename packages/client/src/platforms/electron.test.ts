import { EventEmitter } from "node:events"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
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

  describe("a file that the system cannot decrypt", () => {
    const { platform } = process
    const on = (name: string) => Object.defineProperty(process, "platform", { value: name })
    afterEach(() => on(platform))

    async function signedIn() {
      const auth = start()
      const login = auth.login()
      await expect.poll(() => opened.length).toBe(1)
      openUrl(honest(backend, opened.pop() ?? ""))
      await login
      app.removeAllListeners()
    }
    /** The app, whose key is now another one. */
    function startElsewhere() {
      const others = modules()
      others.safeStorage.encryptString = (text) => Buffer.from(`other:${text}`)
      others.safeStorage.decryptString = (sealed) => {
        if (!String(sealed).startsWith("other:")) throw new Error("Error while decrypting the ciphertext")
        return String(sealed).slice("other:".length)
      }
      const auth = createPkceClient({
        server: "https://api.example.com/auth",
        redirectUri: REDIRECT,
        providers: [provider],
        platform: { ...electron(others), http: backend.http },
      })
      const told: unknown[] = []
      auth.subscribe((event) => event.type === "storage_lost" && told.push(event.reason))
      return { auth, told }
    }
    const files = () => readdir(join(folder, "pkce"))

    it.each(["linux", "darwin"])("is no empty one on %s, where its key may come back", async (name) => {
      on(name)
      await signedIn()
      const { auth, told } = startElsewhere()
      expect(await codeOf(auth.restore())).toBe("storage_unavailable")
      expect(await codeOf(auth.login())).toBe("storage_unavailable")
      expect(told).toEqual([])
      expect((await start().restore()).session).not.toBeNull()
    })

    it("is no empty one where a wrong key opens it by chance", async () => {
      on("linux")
      await signedIn()
      const chance = modules()
      chance.safeStorage.decryptString = () => "\ufffd\u0003%"
      const storage = electron(chance).storage
      await expect(storage.read()).rejects.toThrow(SyntaxError)
      await expect(storage.update(() => "{}")).rejects.toThrow(SyntaxError)
      expect((await start().restore()).session).not.toBeNull()
    })

    it("P11 is lost on Windows, where its key does not: told once, and the user logs in again", async () => {
      on("win32")
      await signedIn()
      const { auth, told } = startElsewhere()
      expect((await auth.restore()).session).toBeNull()
      expect(told).toEqual(["unreadable"])
      expect(await files()).toEqual([])
      const login = auth.login()
      await expect.poll(() => opened.length).toBe(1)
      openUrl(honest(backend, opened[0] ?? ""))
      expect(await login).toMatchObject({ status: "signed_in" })
      expect((await startElsewhere().auth.restore()).session?.id).toBe(auth.session?.id)
      expect(told).toEqual(["unreadable"])
    })

    it.each(["login", "logout"] as const)("on Windows %s, too, begins anew", async (call) => {
      on("win32")
      await signedIn()
      const { auth, told } = startElsewhere()
      const controller = new AbortController()
      const ended = call === "login" ? auth.login({ signal: controller.signal }) : auth.logout()
      await expect.poll(() => told).toEqual(["unreadable"])
      controller.abort()
      await ended
    })

    it("on Windows without its keyring nothing is lost", async () => {
      on("win32")
      await signedIn()
      keyring.available = false
      const { auth, told } = startElsewhere()
      expect(await codeOf(auth.restore())).toBe("storage_unavailable")
      expect(told).toEqual([])
      expect(await files()).toEqual(["session.json"])
    })
  })
})
