import { createPkceClient, type PkceClient } from "@pkce/client"
import { web } from "@pkce/client/web"
import { popup } from "@pkce/client/web-popup"

// The page of an app: what a test reaches in it, and a button, since a window opens in a gesture only.

export interface Page {
  auth: PkceClient
  told: string[]
}

/** Hours that all pages believe to have passed, so that a session token has ended without anybody waiting for that. */
const later = () => Number(localStorage.getItem("hours")) * 3_600_000

const auth = createPkceClient({
  server: "/auth",
  redirectUri: `${location.origin}/callback`,
  platform: {
    ...web(localStorage.getItem("popup") ? { popup } : {}),
    clock: {
      wall: () => Date.now() + later(),
      monotonic: () => performance.now() + later(),
      after(milliseconds, run) {
        const timer = setTimeout(run, milliseconds)
        return () => clearTimeout(timer)
      },
    },
  },
})
const told: string[] = []
auth.subscribe(({ type }) => told.push(type))
document.body.innerHTML = "<button>Log in</button>"
document.querySelector("button")?.addEventListener("click", () => void auth.login())
await auth.restore()
Object.assign(globalThis, { auth, told } satisfies Page)
