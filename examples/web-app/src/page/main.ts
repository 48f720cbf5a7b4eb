import { createPkceClient, type Platform } from "@pkce/client"
import { web } from "@pkce/client/web"
import { popup } from "@pkce/client/web-popup"
import { watchApp } from "@pkce-examples/flow"
import { drawSteps } from "./diagram.js"
import { find } from "./dom.js"
import { type Actions, panels, type View } from "./panels.js"
import { openSteps, tabMemory } from "./steps.js"

const view: View = { session: null, devices: [], answer: "", note: "", busy: true, steps: [] }
const steps = openSteps((all) => {
  view.steps = all
  drawSteps(all)
  draw()
})

const connect = (platform: Platform) =>
  createPkceClient({
    server: "/auth",
    redirectUri: `${location.origin}/callback`,
    platform: watchApp(platform, (step) => steps.tell(step), tabMemory),
    device: { name: deviceName(), platform: "web" },
  })

const clients = { redirect: connect(web()), popup: connect(web({ popup })) }
// A popup begins with a copy of its opener's sessionStorage, so the page at the redirect URI knows what it is.
let auth = clients[sessionStorage.getItem("mode") === "popup" ? "popup" : "redirect"]

const actions: Actions = {
  signIn: (mode) =>
    run(() => {
      sessionStorage.setItem("mode", mode)
      auth = clients[mode]
      return auth.login()
    }),
  callApi: () =>
    run(async () => {
      const response = await auth.fetch("/api/me")
      view.answer = JSON.stringify(await response.json(), null, 2)
    }),
  refresh: () =>
    run(async () => {
      const before = await auth.getSessionToken()
      const after = await auth.refresh()
      if (before === after)
        view.note = "Fresh enough: the line takes one step in ten seconds. Try again soon."
    }),
  revoke: (id) => run(() => auth.sessions.revoke(id)),
  signOut: (provider) =>
    run(() => auth.logout(provider ? { provider, postLogoutRedirectUri: `${location.origin}/` } : {})),
}

/** One action at a time; its failure is shown by its stable code. */
async function run(action: () => Promise<unknown>) {
  view.busy = true
  view.note = ""
  draw()
  try {
    await action()
    await show()
  } catch (error) {
    await show((error as { code?: string }).code ?? "failed")
  }
}

async function show(failure?: string) {
  view.session = auth.session
  view.devices = view.session ? await auth.sessions.list().catch(() => view.devices) : []
  if (!view.session) view.answer = ""
  view.busy = false
  draw()
  const status = find("status")
  status.dataset.state = failure ? "error" : view.session ? "in" : "out"
  status.textContent = failure ?? (view.session ? "signed in" : "signed out")
}

function draw() {
  const focused = document.activeElement?.getAttribute("aria-label")
  find("panels").replaceChildren(...panels(view, actions))
  if (focused)
    find("panels")
      .querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`)
      ?.focus()
}

function deviceName() {
  const agent = navigator.userAgent
  const browser = ["Edg", "Firefox", "Chrome", "Safari"].find((name) => agent.includes(name)) ?? "Browser"
  const system = ["Android", "iPhone", "Windows", "Mac OS", "Linux"].find((name) => agent.includes(name))
  return `${browser === "Edg" ? "Edge" : browser} on ${system ?? "the web"}`
}

find("clear").addEventListener("click", () => steps.clear())
for (const client of Object.values(clients)) client.subscribe(() => void show())
setInterval(() => {
  if (view.session && !view.busy && !document.hidden) draw()
}, 5000)

await run(async () => {
  const { login } = await auth.restore()
  if (login?.status === "failed") throw login.error
})
