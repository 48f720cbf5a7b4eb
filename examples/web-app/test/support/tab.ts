import { createPkceClient, type PkceClient, type Restored } from "@pkce/client"
import { web } from "@pkce/client/web"

/** What a test reaches in a tab. */
export interface Tab {
  auth: PkceClient
  restored: Promise<Restored>
  told: string[]
}

/** Hours that all tabs believe to have passed, so that a session token has ended without anybody waiting for that. */
const ahead = () => Number(localStorage.getItem("hours") ?? 0) * 3_600_000

const auth = createPkceClient({
  server: "/auth",
  redirectUri: `${location.origin}/callback`,
  platform: {
    ...web(),
    clock: {
      wall: () => Date.now() + ahead(),
      monotonic: () => performance.now() + ahead(),
      after(milliseconds, run) {
        const timer = setTimeout(run, milliseconds)
        return () => clearTimeout(timer)
      },
    },
  },
})

const told: string[] = []
auth.subscribe(({ type }) => told.push(type))
Object.assign(globalThis, { auth, told, restored: auth.restore() } satisfies Tab)
