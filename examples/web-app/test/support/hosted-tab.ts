import { createPkceClient, type PkceClient, type PkceClientOptions, type Restored } from "@pkce/client"
import { hosted, messageWindow } from "@pkce/client/hosted"
import { web } from "@pkce/client/web"
import { popup } from "@pkce/client/web-popup"

/** What a test reaches in a tab. */
export interface HostedTab {
  auth: PkceClient
  restored: Promise<Restored>
  told: string[]
  /** By poll: the code that the person is shown. */
  code: string
  frame: HTMLIFrameElement
}

/** What the test has asked this origin's pages to be. */
export interface TabSettings {
  server: string
  flow: "app" | "redirect" | "window" | "frame" | "poll"
  bind?: "cookie"
  popup?: boolean
  /** Hours that all tabs believe to have passed. */
  hours?: number
}

const settings = (): TabSettings => JSON.parse(localStorage.getItem("settings") ?? "{}")
const ahead = () => (settings().hours ?? 0) * 3_600_000

const frame = document.body.appendChild(document.createElement("iframe"))
const tab = { told: [] as string[], code: "", frame } as HostedTab

const FLOWS: Record<TabSettings["flow"], () => PkceClientOptions["flow"]> = {
  app: () => undefined,
  redirect: () => hosted(),
  window: () => hosted({ bridge: messageWindow(() => open("", "_blank", "popup,width=480,height=720")) }),
  frame: () => hosted({ bridge: messageWindow(() => frame.contentWindow) }),
  poll: () =>
    hosted({
      delivery: "poll",
      openBrowser: false,
      show: ({ code, url }) => Object.assign(tab, { code: `${code} ${url}` }),
    }),
}

const { server = "/auth", flow: name = "redirect", bind, popup: byPopup } = settings()
const flow = FLOWS[name]()
tab.auth = createPkceClient({
  server,
  redirectUri: `${location.origin}/callback`,
  device: { name: "Ada's browser" },
  ...(flow && { flow }),
  platform: {
    ...web({ ...(bind && { bind }), ...(byPopup && { popup }) }),
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
tab.auth.subscribe(({ type }) => tab.told.push(type))
tab.restored = tab.auth.restore()
Object.assign(globalThis, tab)
// `code` is written later than the globals are.
Object.defineProperty(globalThis, "code", { get: () => tab.code })
