import { EventEmitter } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { vi } from "vitest"
import { createPkceClient, type PkceClientOptions } from "../../src/client.js"
import { cli } from "../../src/platforms/cli.js"
import { electron } from "../../src/platforms/electron.js"
import type { ClockPort, Platform } from "../../src/platforms/ports.js"
import { web } from "../../src/platforms/web.js"
import type { PkceClientEvent } from "../../src/session/events.js"
import { fakeBackend, provider } from "../../src/testing/backend.js"
import { fakeClock } from "../../src/testing/clock.js"
import { honest, REDIRECT } from "../../src/testing/device.js"
import { memoryIndexedDb } from "./memory-indexeddb.js"
import { mortality } from "./mortal.js"
import { phone } from "./phone.js"

/** What is around a device: the clock, the network, and what comes of a URL that is opened in the browser. */
export interface World {
  clock: ClockPort
  http: typeof fetch
  server: string
  callbackFor(url: string): string | Promise<string>
}

/** A backend and a provider that are fakes, on virtual time. */
function fakeWorld() {
  const clock = fakeClock()
  const backend = fakeBackend(clock)
  return {
    clock,
    backend,
    http: backend.http,
    server: "https://api.example.com/auth",
    callbackFor: (url: string) => honest(backend, url),
  }
}

/** The device beneath a platform: what outlives the app's processes, and what the system does with links. */
interface Ground {
  redirectUri: string
  /** The modules of a new process; the storage beneath is the same for all. */
  platform(): Platform
  onDeath(): void
  /** The user comes back from the provider while no process runs: what the next start finds. `false` where nothing can. */
  comeBack(callback: string): boolean
  /** The page is the one that the browser was sent to. */
  arrive?(): Promise<void>
  /** After the test. */
  clear(): void
}

const onPhone =
  (kind: "expo" | "reactNative" | "capacitor") =>
  (world: World): Ground => {
    const device = phone()
    device.state.behaviour = async (url) => {
      device.state.initialUrl = await world.callbackFor(url)
      return { type: "success", url: device.state.initialUrl }
    }
    return {
      redirectUri: REDIRECT,
      platform: () => device.platforms[kind](),
      onDeath: device.kill,
      comeBack(callback) {
        device.state.initialUrl = callback
        return true
      },
      clear() {},
    }
  }

function onElectron(world: World): Ground {
  const folder = mkdtempSync(join(tmpdir(), "pkce-host-"))
  const { argv } = process
  const app = Object.assign(new EventEmitter(), { getPath: () => folder })
  const comeBack = (callback: string) => {
    process.argv = [...argv, callback]
    return true
  }
  return {
    redirectUri: REDIRECT,
    platform: () =>
      electron({
        app,
        shell: {
          async openExternal(url) {
            const callback = await world.callbackFor(url)
            comeBack(callback)
            setTimeout(() => app.emit("second-instance", {}, ["/usr/bin/app", callback]))
          },
        },
        safeStorage: {
          isEncryptionAvailable: () => true,
          encryptString: (text) => Buffer.from(text).reverse(),
          decryptString: (encrypted) => Buffer.from(encrypted).reverse().toString(),
        },
      }),
    onDeath: () => void app.removeAllListeners(),
    comeBack,
    clear() {
      process.argv = argv
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function onCli(world: World): Ground {
  const folder = mkdtempSync(join(tmpdir(), "pkce-host-"))
  const close = new Set<() => void>()
  const onDeath = () => {
    for (const end of close) end()
    close.clear()
  }
  return {
    redirectUri: "http://127.0.0.1/callback",
    platform() {
      const openBrowser = async (url: string) =>
        void (await fetch(await world.callbackFor(url)).catch(() => {}))
      const platform = cli({ directory: folder, openBrowser })
      const { browser } = platform
      return {
        ...platform,
        browser: {
          ...browser,
          async start(redirectUri, runClock) {
            const run = await browser.start(redirectUri, runClock)
            // The system closes what a process listened on.
            close.add(run.close)
            return run
          },
        },
      }
    },
    onDeath,
    comeBack: () => false,
    clear() {
      onDeath()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function onWeb(world: World): Ground {
  const home = "https://app.example.com/"
  const location = { href: home, origin: "https://app.example.com", pathname: "/", assign }
  const channels = new Set<{ onmessage?: (() => void) | null; name: string }>()
  let arrived: string | Promise<string> = home
  function assign(url: string) {
    arrived = world.callbackFor(url)
    if (typeof arrived === "string") location.href = arrived
  }
  vi.stubGlobal("location", location)
  vi.stubGlobal("addEventListener", () => {})
  vi.stubGlobal("indexedDB", memoryIndexedDb())
  vi.stubGlobal("history", {
    state: null,
    replaceState() {
      location.href = home
    },
  })
  vi.stubGlobal("BroadcastChannel", function channel(this: object, name: string) {
    const made = { name, postMessage, close: () => channels.delete(made) }
    function postMessage() {
      for (const other of channels) if (other !== made && other.name === name) other.onmessage?.()
    }
    channels.add(made)
    return made
  })
  return {
    redirectUri: `${home}callback`,
    platform: () => web(),
    onDeath: () => channels.clear(),
    async arrive() {
      location.href = await arrived
    },
    comeBack(callback) {
      location.href = callback
      return true
    },
    clear: () => vi.unstubAllGlobals(),
  }
}

export const HOSTS = {
  expo: onPhone("expo"),
  "react-native": onPhone("reactNative"),
  capacitor: onPhone("capacitor"),
  electron: onElectron,
  web: onWeb,
  cli: onCli,
}

type Options = Partial<PkceClientOptions>

/** A device with one of the six platforms on it, whose app can be killed at any moment and started again. */
export function host(kind: keyof typeof HOSTS, options: Options = {}) {
  const world = fakeWorld()
  return { ...hostIn(world, kind, { providers: [provider], ...options }), ...world }
}

/** The same in another world. */
export function hostIn(world: World, kind: keyof typeof HOSTS, options: Options = {}) {
  const ground = HOSTS[kind](world)
  const { mortal, kill, ...death } = mortality(ground.onDeath)
  const events: PkceClientEvent[] = []

  /** Starts the app: a new process on the same device. */
  function start() {
    kill()
    const { clock, http, server } = world
    const app = createPkceClient({
      server,
      redirectUri: ground.redirectUri,
      platform: mortal({ ...ground.platform(), clock, http }),
      ...options,
    })
    app.subscribe((event) => events.push(event))
    return app
  }

  return {
    ...ground,
    ...death,
    kill,
    start,
    /** What all processes were told. */
    events,
    /** A login from its first call to its session, in as many processes as the platform takes. */
    async login() {
      const app = start()
      const result = await app.login()
      if (result.status !== "left") return app
      await ground.arrive?.()
      const next = start()
      await next.restore()
      return next
    },
  }
}
