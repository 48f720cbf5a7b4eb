import { HEARD, recordOf } from "./invariants.js"
import type { Device, Model, Tab } from "./model.js"

const MINUTE = 60_000

/** What apps do with the client. */
export function actsOf({
  time,
  random,
  weather,
  devices,
  wanted,
  problem,
  call,
  comesToFront,
  wantAll,
  loggedOut,
}: Model) {
  const { now } = time
  const canFail = weather.storage > 0
  const ended: { id: string; device: Device; at: number }[] = []

  /** Whatever a device may take for its session: a tab that slept knows an older one. */
  function wantEndOf({ disk, tabs }: Device): void {
    for (const text of [disk.text, ...disk.hoped]) wanted.add(recordOf(text).session?.id ?? "")
    for (const { app } of tabs) wanted.add(app.session?.id ?? "")
  }

  /** Once a logout is heard of, no tab hands out a token of that session; before it wakes, a tab hears of nothing. */
  function isOfLiveSession(tab: Tab, token: string | null, askedAt: number): void {
    // Where the storage fails, a tab cannot look what was logged out.
    if (token === null || canFail) return
    const { sid } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
    const gone = ended.find(({ id, device }) => id === sid && device === tab.device)
    if (gone && askedAt > Math.max(gone.at, tab.wokeAt) + HEARD)
      problem(`${tab.name} hands out a token of ${sid}, which is logged out for ${askedAt - gone.at} ms`)
  }

  const acts = {
    login: (tab: Tab) => void call(tab, "login", () => tab.app.login()),
    restore: (tab: Tab) => void call(tab, "restore", () => tab.app.restore()),
    token(tab: Tab, minTtl?: number) {
      const askedAt = now()
      const get = () => tab.app.getSessionToken(minTtl === undefined ? {} : { minTtl })
      void call(tab, "token", get, (token) => isOfLiveSession(tab, token, askedAt))
    },
    longToken: (tab: Tab) => acts.token(tab, 290),
    fetch: (tab: Tab) => void call(tab, "fetch", () => tab.app.fetch("/me")),
    refresh: (tab: Tab) => void call(tab, "refresh", () => tab.app.refresh()),
    refreshAll: ({ device }: Tab) => device.tabs.filter(({ asleep }) => !asleep).forEach(acts.refresh),
    logout(tab: Tab) {
      const { device } = tab
      const everywhere = random.chance(0.2)
      const record = recordOf(device.disk.text)
      wantEndOf(device)
      if (everywhere) {
        for (const other of devices) wantEndOf(other)
        wantAll(6 * MINUTE)
      }
      void call(
        tab,
        `logout ${everywhere ? "everywhere" : ""}`,
        () => tab.app.logout({ everywhere }),
        () => {
          loggedOut(record)
          if (record.session) ended.push({ id: record.session.id, device, at: now() })
        },
      )
    },
    revoke: (tab: Tab) =>
      void call(tab, "revoke", async () => {
        const { session_id } = random.of(await tab.app.sessions.list()) ?? {}
        if (!session_id) return
        wanted.add(session_id)
        await tab.app.sessions.revoke(session_id)
      }),
    comesToFront,
    waits() {},
  }

  return acts
}
