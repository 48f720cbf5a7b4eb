import { auth } from "./auth.js"
import type { Bridge } from "./bridge.js"

let waiting: AbortController | undefined

/** What the main process does for its page. */
export const actions: Bridge = {
  who: async () => (auth.session ? String(auth.session.user?.name ?? "Somebody") : null),
  async login() {
    waiting = new AbortController()
    const { status } = await auth.login({ signal: waiting.signal })
    return status
  },
  async cancel() {
    waiting?.abort()
    return ""
  },
  me: async () => (await auth.fetch("/me")).text(),
  refresh: async () => ((await auth.refresh()) ? "refreshed" : "signed out"),
  devices: async () => (await auth.sessions.list()).map(({ device }) => device.name).join(", "),
  async logout() {
    await auth.logout()
    return ""
  },
}
