import { createHash } from "node:crypto"
import { vi } from "vitest"
import { createPkceClient, type PkceClient } from "../../../src/client.js"
import { hosted } from "../../../src/hosted.js"
import type { Platform } from "../../../src/platforms/ports.js"
import { type Random, seeded } from "../random.js"
import { BASE, createBackend, ORIGIN, REDIRECT } from "./backend.js"
import { HEARD, invariants, recordOf } from "./invariants.js"
import { type CookieJar, cookieJar, NETWORK_FAULTS, NO_NETWORK, travel } from "./network.js"
import { personAt } from "./person.js"
import { type Disk, newDisk, type StorageWorld, sharedStorage, torableKeychain } from "./storage.js"
import { type Process, virtualTime } from "./virtual-time.js"

/** What may go wrong, as chances between 0 and 1, and where all of it takes place. */
export interface Weather {
  network: number
  kills: number
  storage: number
  sleeps: number
  jumps: number
  /** Logins and logouts follow on one another; else the app is mostly used. */
  logins?: boolean
  /** The web's session bound to a cookie. */
  cookie?: boolean
  /** The backend does the logins. */
  hosted?: boolean
  /** A phone: one process at a time, on a keychain. */
  keychain?: boolean
}

interface Call {
  name: string
  at: number
  limit: number
}

export interface Tab extends Process {
  name: string
  device: Device
  app: PkceClient
  wokeAt: number
  calls: Set<Call>
  hears: { change: Set<() => void>; link: Set<(url: string) => void>; wake: Set<() => void> }
}

export interface Device {
  name: string
  disk: Disk
  changedAt: number
  tabs: Tab[]
  cookies: CookieJar
  /** In a tunnel until then. */
  offlineUntil: number
  /** Milliseconds by which its clock is wrong. */
  offset: number
}

const START = 1_790_000_000_000
/** Milliseconds in which every call has to settle; a person at a login page takes longer. */
const PATIENCE = 200_000
const LOGIN_PATIENCE = 800_000
export type Model = Awaited<ReturnType<typeof createModel>>

/** A backend, its provider, and two devices whose apps are used, killed and put to sleep. */
export async function createModel(
  seed: number,
  original: Weather,
  serverDraws: (bytes: Random["bytes"]) => void,
) {
  const weather = { ...original }
  const random = seeded(seed)
  const draws = seeded(-seed)
  serverDraws(draws.bytes)
  const time = virtualTime(START)
  const { now } = time
  vi.spyOn(Date, "now").mockImplementation(now)
  const must = invariants(now)
  const { note, problem, wanted } = must
  const backend = createBackend(must, random, draws, weather.hosted === true)
  const devices: Device[] = []
  const seen = new Set<string>()
  /** Sessions of which a message had something happen to it: their end at the backend may have got lost. */
  const hurt = new Set<string>()
  let tabs = 0

  const httpOf =
    (tab: Tab): typeof fetch =>
    async (input, init = {}) => {
      const { device } = tab
      const url = String(input)
      const body = init.body ? JSON.parse(String(init.body)) : {}
      must.learnSecrets(body)
      must.keepsSecrets(url, "a URL")
      if (url.endsWith("/refresh") && original.storage === 0)
        must.asksNoMore(tab.name, body.refresh_token, tab.wokeAt)
      // The API's own answers are the app's business.
      const isWire = url.startsWith(BASE)
      const faults =
        now() < device.offlineUntil ? NO_NETWORK : random.chance(weather.network) ? NETWORK_FAULTS : []
      const fault = isWire && faults.length > 0 ? random.of(faults) : undefined
      note(`${tab.name} ${init.method ?? "GET"} ${url.slice(ORIGIN.length)} ${fault ?? ""}`)
      if (fault) {
        seen.add(fault)
        hurt.add(String(body.refresh_token).split(".")[2] ?? "")
      }
      return travel(time, random, tab, () => backend.answer(device.cookies, url, init), fault)
    }

  function newDevice(): Device {
    const name = `d${devices.length}`
    const device = {
      name,
      disk: newDisk(),
      changedAt: 0,
      tabs: [],
      cookies: cookieJar(),
      offlineUntil: 0,
      offset: 0,
    }
    devices.push(device)
    return device
  }

  function kill(tab: Tab): void {
    note(`${tab.name} is killed`)
    seen.add("kill")
    tab.alive = false
    tab.device.tabs = tab.device.tabs.filter((other) => other !== tab)
  }

  function platformOf(tab: Tab): Platform {
    const { device, hears } = tab
    const { disk } = device
    const crypto: Platform["crypto"] = {
      randomBytes: draws.bytes,
      sha256: (data) => createHash("sha256").update(data).digest(),
    }
    const world: StorageWorld = {
      time,
      random,
      weather,
      problem,
      kill: () => kill(tab),
      wrote(text) {
        const [before, after] = [recordOf(disk.text), recordOf(text)]
        disk.text = text
        device.changedAt = now()
        // A logout that is under way ends also what comes before its own write.
        if (after.session && isLoggingOut(device)) wanted.add(after.session.id)
        must.recordChanged(`${device.name} ${tab.name}`, before, after)
      },
    }
    return {
      name: "test",
      bind: weather.cookie ? "cookie" : undefined,
      clock: time.clockOf(tab, () => device.offset),
      crypto,
      http: httpOf(tab),
      storage: weather.keychain ? torableKeychain(disk, tab, crypto, world) : sharedStorage(disk, tab, world),
      browser: personAt(tab, {
        time,
        random,
        browse: backend.browse,
        problem,
        link(url, within) {
          for (const other of device.tabs)
            time.after(random.below(within), () => other.hears.link.forEach((take) => void take(url)), other)
        },
      }),
      changes: {
        post() {
          for (const other of device.tabs)
            if (other !== tab)
              time.after(random.below(30), () => {
                // No message waits for a page that sleeps.
                if (!other.asleep) other.hears.change.forEach((tell) => void tell())
              })
        },
        subscribe: (listener) => void hears.change.add(listener),
      },
      links: (listener) => void hears.link.add(listener),
      wakes: (listener) => void hears.wake.add(listener),
    }
  }

  function open(device: Device): Tab {
    const hears: Tab["hears"] = { change: new Set(), link: new Set(), wake: new Set() }
    const process = {
      name: `t${tabs++}`,
      device,
      alive: true,
      asleep: false,
      wokeAt: 0,
      calls: new Set<Call>(),
      hears,
    }
    const tab = process as typeof process & Tab
    device.tabs.push(tab)
    tab.app = createPkceClient({
      server: BASE,
      redirectUri: REDIRECT,
      platform: platformOf(tab),
      ...(weather.hosted && { flow: hosted() }),
    })
    tab.app.subscribe(must.listener(tab.name))
    return tab
  }

  /** The app's own code calls the client. */
  async function call<T>(tab: Tab, name: string, work: () => Promise<T>, then?: (result: T) => unknown) {
    note(`${tab.name} ${name}`)
    const mine = { name, at: now(), limit: name === "login" ? LOGIN_PATIENCE : PATIENCE }
    tab.calls.add(mine)
    try {
      const result = await work()
      note(`${tab.name} ${name}: done`)
      if (tab.alive) await then?.(result)
    } catch (error) {
      must.failedWell(`${tab.name} ${name}`, error)
    } finally {
      tab.calls.delete(mine)
    }
  }

  const isLoggingOut = ({ tabs }: Device) =>
    tabs.some(({ calls }) => [...calls].some(({ name }) => name.startsWith("logout")))
  const sessionIn = ({ disk }: Device) => recordOf(disk.text).session?.id ?? null
  const comesToFront = ({ hears }: Tab) => hears.wake.forEach((tell) => void tell())
  function sleep(tab: Tab): void {
    note(`${tab.name} sleeps`)
    seen.add("sleep")
    tab.asleep = true
  }
  function wake(tab: Tab): void {
    if (!tab.asleep) return
    note(`${tab.name} wakes`)
    tab.asleep = false
    tab.wokeAt = now()
    time.after(1, () => comesToFront(tab), tab)
  }

  function callsSettle(): void {
    for (const { tabs } of devices)
      for (const { name, asleep, wokeAt, calls } of tabs)
        for (const each of asleep ? [] : calls)
          if (now() - Math.max(each.at, wokeAt) > each.limit) problem(`${name} ${each.name} does not settle`)
  }

  /** What the record holds is known to all tabs, unless one of them sleeps, or died before it could tell the others. */
  function tabsAgree(): void {
    if (original.storage + original.kills > 0) return
    for (const device of devices) {
      const { tabs, changedAt } = device
      const since = Math.max(changedAt, ...tabs.map(({ wokeAt }) => wokeAt))
      if (now() < since + HEARD || tabs.some(({ asleep }) => asleep)) continue
      for (const { name, app } of tabs)
        if (app.session && app.session.id !== sessionIn(device))
          problem(`${name} still believes ${app.session.id}`)
    }
  }

  return {
    ...must,
    random,
    weather,
    time,
    auth: backend.auth,
    devices,
    told: backend.told,
    seen,
    hurt,
    newDevice,
    open,
    kill,
    comesToFront,
    sleep,
    wake,
    call,
    callsSettle,
    tabsAgree,
    isLoggingOut,
    sessionIn,
  }
}
