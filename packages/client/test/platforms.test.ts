import { beforeEach, describe, expect, it, vi } from "vitest"
import { randomBytes, s256 } from "../src/pkce/crypto.js"
import { answer } from "../src/testing/answers.js"
import { codeOf } from "../src/testing/device.js"
import { type Phone, phone } from "./support/phone.js"

let device: Phone
beforeEach(() => {
  device = phone()
})

const PLATFORMS = ["expo", "reactNative", "capacitor"] as const
/** What the modules say of a value that this device's key does not open; expo-secure-store answers `null`. */
const FOREIGN: Record<string, string[]> = {
  reactNative: ["Decryption failed: Authentication tag verification failed. This usually indicates that"],
  capacitor: ["An OS error occurred (AEADBadTagException)"],
}
const exchanges = () => device.backend.to("POST /exchange").length

describe.each(PLATFORMS)("%s", (kind) => {
  const start = () => device.start(() => device.platforms[kind]())
  /** Signs in, whichever way the platform brings the callback. */
  async function signIn() {
    const started = start()
    expect(await started.app.login()).toMatchObject({ status: "signed_in" })
    return started
  }
  /** The user is in the browser; resolves with the authorization URL. */
  async function inBrowser(app: ReturnType<typeof start>["app"]) {
    const before = device.opened.length
    device.state.behaviour = () => new Promise(() => {})
    const login = app.login()
    await expect.poll(() => device.opened.length).toBe(before + 1)
    return { login, url: device.opened[before] ?? "" }
  }

  it("logs in, and the next start has the session", async () => {
    const { app } = await signIn()
    expect(await app.getSessionToken()).toMatch(/^st\./)
    const again = start().app
    expect((await again.restore()).session?.id).toBe(app.session?.id)
    expect(await again.getSessionToken()).toMatch(/^st\./)
  })

  it("cancelling is a result, and leaves nothing open", async () => {
    const { app } = start()
    device.state.behaviour = async () => ({ type: kind === "capacitor" ? "dismiss" : "cancel" })
    expect(await app.login()).toEqual({ status: "cancelled" })
    expect(exchanges()).toBe(0)
  })

  it("P1: a browser that is reported as gone before the callback came is no cancelled login", async () => {
    const { app } = start()
    device.state.behaviour = async (url) => {
      // The link is a moment behind: the system brings the app to the front first.
      device.clock.after(800, () => device.link(device.callbackFor(url)))
      return { type: "dismiss" }
    }
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect(exchanges()).toBe(1)
  })

  it("P1: a callback that comes long after the cancellation is a late success, told as an event", async () => {
    const { app, events } = start()
    let url = ""
    device.state.behaviour = async (opened) => {
      url = opened
      return { type: "dismiss" }
    }
    expect(await app.login()).toEqual({ status: "cancelled" })
    device.link(device.callbackFor(url))
    await expect.poll(() => events.map(({ type }) => type)).toContain("signed_in")
    expect(app.session).not.toBeNull()
  })

  it("nobody comes back from the browser: after ten minutes it is closed, and the login over", async () => {
    const { app, events } = start()
    const { login, url } = await inBrowser(app)
    const ended = codeOf(login)
    device.clock.advance(599_000)
    expect(device.state.closed).toBe(0)
    device.clock.advance(1_000)
    expect(await ended).toBe("flow_expired")
    expect(device.state.closed).toBe(1)
    device.clock.advance(1)
    device.link(device.callbackFor(url))
    await expect.poll(() => events.length).toBe(1)
    expect(events).toMatchObject([{ type: "login_failed", error: { code: "flow_expired" } }])
    expect(exchanges()).toBe(0)
  })

  it("a login that came to its end leaves no timer behind, which would keep a program alive", async () => {
    const limits = new Set<object>()
    const { after } = device.clock
    vi.spyOn(device.clock, "after").mockImplementation((milliseconds, run) => {
      const limit = { milliseconds }
      if (milliseconds >= 600_000) limits.add(limit)
      const stop = after(milliseconds, run)
      return () => {
        limits.delete(limit)
        stop()
      }
    })
    const { app } = start()
    const { login, url } = await inBrowser(app)
    expect(limits.size).toBe(1)
    device.link(device.callbackFor(url))
    expect(await login).toMatchObject({ status: "signed_in" })
    expect(limits.size).toBe(0)
  })

  it("P2: the app is killed while the user is in the browser: the link starts it, and it finishes the login", async () => {
    const first = await inBrowser(start().app)
    device.state.initialUrl = device.callbackFor(first.url)
    const { app } = start()
    const restored = await app.restore()
    expect(restored.login).toMatchObject({ status: "signed_in" })
    expect(restored.session).not.toBeNull()
    expect(exchanges()).toBe(1)
  })

  it("P4: one callback that comes four times is one exchange, and no error", async () => {
    const { app, events } = start()
    let callback = ""
    device.state.behaviour = async (url) => {
      callback = device.callbackFor(url)
      device.link(callback)
      return { type: "success", url: callback }
    }
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    device.link(callback)
    device.state.initialUrl = callback
    const again = start()
    expect((await again.app.restore()).session?.id).toBe(app.session?.id)
    await expect.poll(() => again.events.length).toBeGreaterThan(0)
    expect(new Set([...events, ...again.events].map(({ type }) => type))).toEqual(
      new Set(["signed_in", "callback_ignored"]),
    )
    expect(exchanges()).toBe(1)
  })

  it("B1, B4: links of the app's own, and forged callbacks, disturb no login", async () => {
    const { app, events } = start()
    const { login, url } = await inBrowser(app)
    device.link("com.example.app://products/7")
    device.link("com.example.app://auth/callback?code=stolen&state=guessed")
    device.link(device.callbackFor(url))
    expect(await login).toMatchObject({ status: "signed_in" })
    expect(events.map(({ type }) => type)).toEqual(["callback_ignored", "signed_in"])
    expect(exchanges()).toBe(1)
  })

  it("P12: a locked keychain is no empty one: nothing is lost, and it works when it is unlocked", async () => {
    const { app } = await signIn()
    const id = app.session?.id
    device.state.locked = true
    const again = start().app
    expect(await codeOf(again.restore())).toBe("storage_locked")
    expect(await codeOf(again.getSessionToken())).toBe("storage_locked")
    device.state.locked = false
    expect((await again.restore()).session?.id).toBe(id)
  })

  it("P13: however much is stored, no value is larger than a keychain takes, in bytes", async () => {
    const { app } = start()
    const name = "\u{1F600}".repeat(700)
    device.backend.faults.push(async (seen) => {
      const grant = await device.backend.http(seen.url, seen.init).then((response) => response.json())
      return answer(200, { ...grant, user_info: { sub: "u1", name } })
    })
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    const sizes = [...device.keychain.values()].map((value) => Buffer.byteLength(value))
    expect(sizes.length).toBeGreaterThan(3)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2048)
    expect((await start().app.restore()).session?.user).toMatchObject({ name })
  })

  it("P10: installed anew over a keychain that outlived it: told once, and nobody is signed in", async () => {
    await signIn()
    device.uninstall()
    const { app, events } = start()
    expect((await app.restore()).session).toBeNull()
    expect(events).toEqual([{ type: "storage_lost", session: null, reason: "reinstalled" }])
    const again = start()
    await again.app.restore()
    expect(again.events).toEqual([])
    await signIn()
  })

  it("P10: an update that brings the fence logs nobody out, whenever it is killed", async () => {
    for (const dies of [null, { at: 1, after: false }, { at: 1, after: true }]) {
      device = phone()
      device.state.hasFence = false
      await signIn()
      device.state.hasFence = true
      const updated = start()
      device.clock.advance(3_600_000)
      device.state.dies = dies && { ...dies, at: device.writes() + dies.at }
      await Promise.race([updated.app.getSessionToken(), new Promise((resolve) => setTimeout(resolve, 100))])
      device.state.dies = null
      for (const _start of [1, 2]) {
        const { app, events } = start()
        expect((await app.restore()).session).not.toBeNull()
        expect(await app.getSessionToken()).toMatch(/^st\./)
        expect(events.map(({ type }) => type)).not.toContain("storage_lost")
      }
      device.uninstall()
      const { app } = start()
      expect((await app.restore()).session).toBeNull()
    }
  })

  it("P11: a backup whose values this device cannot open: told once, and the app goes on", async () => {
    await signIn()
    device.keychain.clear()
    const { app, events } = start()
    expect((await app.restore()).session).toBeNull()
    expect(events).toEqual([{ type: "storage_lost", session: null, reason: "unreadable" }])
    expect(await app.login()).toMatchObject({ status: "signed_in" })
  })

  it.each(FOREIGN[kind] ?? [])("P11: the same where the module throws instead: %s", async (error) => {
    await signIn()
    device.state.foreignError = error
    for (const key of device.keychain.keys()) device.state.foreign.add(key)
    const { app, events } = start()
    expect((await app.restore()).session).toBeNull()
    expect(events).toEqual([{ type: "storage_lost", session: null, reason: "unreadable" }])
    expect(await app.login()).toMatchObject({ status: "signed_in" })
    expect((await start().app.restore()).session?.id).toBe(app.session?.id)
  })

  it("P11, P12: any other failure of the keychain may pass, and takes nothing away", async () => {
    const id = (await signIn()).app.session?.id
    device.state.foreignError = "Wrapped error: keystore busy"
    for (const key of device.keychain.keys()) device.state.foreign.add(key)
    const { app, events } = start()
    expect(await codeOf(app.restore())).toBe("storage_unavailable")
    device.state.foreign.clear()
    expect((await app.restore()).session?.id).toBe(id)
    expect(events).toEqual([])
  })

  it("logging out leaves nothing of the session in the keychain", async () => {
    const { app } = await signIn()
    const secrets = [...device.keychain.values()].join("").match(/[\w-]{43}/g) ?? []
    expect(secrets.length).toBeGreaterThan(0)
    await app.logout()
    const left = [...device.keychain.values()].join("")
    expect(secrets.filter((secret) => left.includes(secret))).toEqual([])
    expect((await start().app.restore()).session).toBeNull()
  })

  it("renews what is due when the app comes to the front", async () => {
    const { app } = await signIn()
    device.clock.advance(3_600_000)
    device.toFront()
    await expect.poll(() => device.backend.to("POST /refresh").length).toBe(1)
    await app.getSessionToken()
    expect(device.backend.to("POST /refresh")).toHaveLength(1)
  })

  it("B3, R5: killed at any write of a login, before or after it: the next start has a session, or logs in", async () => {
    let finishedAt = 0
    for (let at = 1; finishedAt === 0; at++)
      for (const after of [false, true]) {
        device = phone()
        let callback = ""
        device.state.behaviour = async (url) => {
          callback = device.callbackFor(url)
          return { type: "success", url: callback }
        }
        const { app } = start()
        device.state.dies = { at, after }
        const done = await Promise.race([
          app.login().then(() => true),
          expect
            .poll(() => device.writes())
            .toBe(at)
            .then(() => pause()),
        ])
        if (done === true && device.writes() < at) finishedAt = at
        device.state.dies = null
        device.state.initialUrl = callback === "" ? null : callback
        const next = start().app
        const { session } = await next.restore()
        if (!session) expect(await next.login()).toMatchObject({ status: "signed_in" })
        expect(await next.getSessionToken()).toMatch(/^st\./)
        expect(
          [...device.backend.rows.values()].filter(({ revoked }) => revoked === "session_reuse_detected"),
        ).toEqual([])
      }
    expect(finishedAt).toBeGreaterThan(3)
  })

  it("R5: killed at any write of a refresh: the next start goes on with the same session", async () => {
    let finishedAt = 0
    for (let at = 1; finishedAt === 0; at++)
      for (const after of [false, true]) {
        device = phone()
        const { app } = await signIn()
        const id = app.session?.id
        device.clock.advance(3_600_000)
        const before = device.writes()
        device.state.dies = { at: before + at, after }
        const done = await Promise.race([
          app.getSessionToken().then(() => true),
          expect
            .poll(() => device.writes())
            .toBe(before + at)
            .then(() => pause()),
        ])
        if (done === true && device.writes() < before + at) finishedAt = at
        device.state.dies = null
        const next = start().app
        expect((await next.restore()).session?.id).toBe(id)
        expect(await next.getSessionToken()).toMatch(/^st\./)
      }
    expect(finishedAt).toBeGreaterThan(2)
  })

  it("A1: without a source of randomness no browser opens", async () => {
    const { app } = device.start(() => ({
      ...device.platforms[kind](),
      crypto: {
        randomBytes: () => {
          throw Object.assign(new Error("none"), { code: "crypto_unavailable" })
        },
        sha256: () => new Uint8Array(32),
      },
    }))
    expect(await codeOf(app.login())).toBe("crypto_unavailable")
    expect(device.opened).toEqual([])
  })
})

it("A1: a module that gives too little is none, whatever it was asked for", async () => {
  const crypto = {
    randomBytes: (length: number) => new Uint8Array(length - 1),
    sha256: () => new Uint8Array(31),
  }
  for (const length of [1, 16, 32])
    expect(() => randomBytes(crypto, length)).toThrow(expect.objectContaining({ code: "crypto_unavailable" }))
  expect(await codeOf(s256(crypto, "a"))).toBe("crypto_unavailable")
})

it.each([
  ["throws", () => Promise.reject(new Error("not linked"))],
  ["is not there", undefined as never],
  ["gives another hash", async () => new ArrayBuffer(20)],
] as const)("A1: Expo with a digest that %s says so, and opens nothing", async (_, digest) => {
  const Crypto = {
    getRandomBytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
    digest,
  }
  const { app } = device.start(() => device.platforms.expo({ Crypto }))
  expect(await codeOf(app.login())).toBe("crypto_unavailable")
  expect(device.opened).toEqual([])
})

it("A1: Capacitor in a web view without WebCrypto says so, and opens nothing", async () => {
  vi.stubGlobal("crypto", undefined)
  try {
    const { app } = device.start(() => device.platforms.capacitor())
    expect(await codeOf(app.login())).toBe("crypto_unavailable")
    expect(device.opened).toEqual([])
  } finally {
    vi.unstubAllGlobals()
  }
})

const pause = () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 10))
