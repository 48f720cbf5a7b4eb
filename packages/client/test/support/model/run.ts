import { actsOf } from "./acts.js"
import { createModel, type Device, type Model, type Weather } from "./model.js"

const MINUTE = 60_000
const STEPS = 80

type Act = keyof ReturnType<typeof actsOf>
const USE: Act[] = [
  ...(["login", "login", "login", "restore", "token", "token", "token", "token", "longToken"] as const),
  ...(["fetch", "fetch", "refresh", "refresh", "refresh", "refreshAll"] as const),
  ...(["logout", "revoke", "comesToFront", "waits", "waits"] as const),
]
const LOGINS: Act[] = [
  "login",
  "login",
  "login",
  "restore",
  "restore",
  "token",
  "refreshAll",
  "logout",
  "revoke",
]

/** One run from two new devices to peace. What it answers is empty unless a property was broken. */
export async function run(seed: number, original: Weather, serverDraws: Parameters<typeof createModel>[2]) {
  const model = await createModel(seed, original, serverDraws)
  const { random, time, weather, open } = model
  const acts = actsOf(model)
  const [one, two] = [model.newDevice(), model.newDevice()]
  for (const device of original.keychain ? [one, two] : [one, one, two]) acts.login(open(device))

  for (let step = 0; step < STEPS; step++) {
    const device = random.of([one, one, two])
    mayDie(device)
    maySleep(device)
    const tab = random.of(device.tabs.filter(({ asleep }) => !asleep))
    mayHaveTrouble(device)
    if (tab) acts[random.of(original.logins ? LOGINS : USE)](tab)
    const pauses = [5, 200, 2000, 11_000, 30_000]
    await time.pass(random.of(original.logins ? pauses : [...pauses, 6 * MINUTE, 6 * MINUTE]))
    model.callsSettle()
    model.tabsAgree()
  }

  /** A process ends, and another one starts. A logout that dies is nobody's promise: it is left to end. */
  function mayDie(device: Device): void {
    if (random.chance(weather.kills) && !model.isLoggingOut(device)) {
      const dying = random.of(device.tabs)
      if (dying) model.kill(dying)
    }
    if (device.tabs.length === 0) acts.restore(open(device))
  }

  function maySleep({ tabs }: Device): void {
    if (random.chance(weather.sleeps) || tabs.every(({ asleep }) => asleep))
      for (const tab of tabs) model.wake(tab)
    if (random.chance(weather.sleeps)) model.sleep(random.of(tabs))
  }

  function mayHaveTrouble(device: Device): void {
    if (random.chance(weather.jumps))
      device.offset += random.of([-1, 1]) * random.of([5000, MINUTE, 60 * MINUTE, 1440 * MINUTE])
    if (random.chance(weather.storage / 3)) {
      model.seen.add("locked")
      device.disk.locked = true
      time.after(5000 + random.below(MINUTE), () => {
        device.disk.locked = false
      })
    }
    if (random.chance(weather.network / 5)) device.offlineUntil = time.now() + 5000 + random.below(MINUTE)
  }

  await peace(model, acts)
  await isAsItShould(model, original)
  await model.auth.close()
  const count = (type: string) => model.told.filter((event) => event.type === type).length
  return {
    problems: model.problems,
    log: model.log,
    seen: model.seen,
    refreshes: count("session.refreshed"),
    logins: model.stored.size,
  }
}

/** Nothing goes wrong any more, and everybody gets the time to end what they began. */
async function peace(
  { note, weather, devices, time, open, wake, problem }: Model,
  acts: ReturnType<typeof actsOf>,
): Promise<void> {
  note("peace")
  Object.assign(weather, { network: 0, kills: 0, storage: 0, sleeps: 0, jumps: 0 })
  for (const device of devices) {
    device.offlineUntil = 0
    device.disk.locked = false
    for (const tab of device.tabs) wake(tab)
  }
  await time.pass(20 * MINUTE)
  for (const { tabs } of devices)
    for (const { name, calls } of tabs)
      for (const call of calls) problem(`${name} ${call.name} never settles`)
  if (time.pending() > 0) problem(`${time.pending()} timers or messages are left`)
  for (const device of devices) {
    // A new start goes on with what an older process has left.
    if (weather.keychain) device.tabs = []
    acts.restore(open(device))
    await time.pass(MINUTE)
    device.tabs.forEach(acts.refresh)
    await time.pass(MINUTE)
  }
}

/** Every tab, its record and the backend agree, and nothing ended or goes on that should not. */
async function isAsItShould(model: Model, { network, kills, storage, sleeps }: Weather): Promise<void> {
  const { auth, devices, time, call, sessionIn, problem, told, wanted, stored, hurt } = model
  for (const device of devices) {
    const id = sessionIn(device)
    for (const tab of device.tabs) {
      if ((tab.app.session?.id ?? null) !== id)
        problem(`${tab.name} believes ${tab.app.session?.id}, not ${id}`)
      const api = async () => {
        const answer = await tab.app.fetch("/me")
        return answer.ok ? answer.text() : null
      }
      void call(tab, "/me", api, (answer) => {
        if (answer !== id) problem(`${tab.name} is ${answer} to the API, and ${id} to itself`)
      })
    }
  }
  await time.pass(MINUTE)

  const users = new Set(told.flatMap(({ sub }) => sub ?? []))
  const live = new Set<string>()
  for (const user of users) for (const { sid } of await auth.sessions.list(user)) live.add(sid)
  for (const id of stored.keys())
    if (!live.has(id) && !wanted.has(id)) problem(`${id} has ended at the backend, and nobody wanted it`)

  // What a device has given up must not live on, unless the message of that could not get through.
  const kept = devices.map(sessionIn)
  const isSure = (id: string) => network === 0 || (stored.has(id) && !hurt.has(id))
  if (kills + storage + sleeps === 0)
    for (const id of live)
      if (!kept.includes(id) && isSure(id)) problem(`${id} lives on, and no device knows it`)

  // The cookie of a session that never came into a record may have been lost with the answer that bore it.
  const inUse = (id: string) => stored.has(id) && !wanted.has(id)
  for (const { type, session_id = "" } of told)
    if (type === "session.reuse_detected" || (type === "session.cookie_refused" && inUse(session_id)))
      problem(`a false alarm: ${type} of ${session_id}`)
}
