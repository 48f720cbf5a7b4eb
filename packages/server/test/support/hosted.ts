import { createServer } from "node:http"
import type { StartAnswer, StartRequest } from "@pkce/protocol"
import type { PkceServerOptions } from "../../src/config/options.js"
import type { PkceEvent } from "../../src/events.js"
import { nodeAuth } from "../../src/mounts/node.js"
import { createPkceServer } from "../../src/server.js"
import { memoryStore } from "../../src/stores/memory.js"
import { running } from "./mounts.js"
import { type RealProvider, startRealProvider } from "./real-provider.js"
import { random, s256 } from "./server.js"

/** What the app registered. */
const APP = "com.example.app:/callback"

export interface HostedOptions {
  options?: Partial<PkceServerOptions>
  provider?: Parameters<typeof startRealProvider>[0]
  /** The provider's part of the options. */
  client?: (provider: RealProvider) => object
}

export type Hosted = Awaited<ReturnType<typeof startHosted>>

/** A backend with hosted login at a port of its own, and a real provider behind it. */
export async function startHosted({ options, provider: of, client }: HostedOptions = {}) {
  const provider = await startRealProvider({ redirectUris: ["http://127.0.0.1/auth/callback"], ...of })
  const events: PkceEvent[] = []
  let handle: Parameters<typeof createServer>[1] & object = () => {}
  const server = await running(createServer((request, response) => handle(request, response)))
  const url = `${server.origin}/auth`
  const store = memoryStore()
  const auth = createPkceServer({
    ...(client?.(provider) ?? provider.options()),
    url,
    hosted: { poll: true, name: "Example" },
    secrets: [random()],
    store,
    onEvent: (event) => void events.push(event),
    onWarning: () => undefined,
    ...options,
  })
  handle = nodeAuth(auth)

  async function post(path: string, body: object, headers: Record<string, string> = {}) {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: await response.json(), headers: response.headers }
  }

  return {
    url,
    auth,
    store,
    events,
    provider,
    post,
    /** A login as an app starts it. */
    async start(request: Partial<StartRequest> = {}) {
      const verifier = random()
      const state = random()
      const code_challenge = s256(verifier)
      const delivery = request.delivery ?? "redirect"
      const target = delivery === "redirect" ? { redirect_uri: APP } : {}
      const asked = { delivery, state, code_challenge, ...target, ...request }
      const { status, body } = await post("/start", asked)
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
      return { ...(body as StartAnswer), verifier, state, challenge: code_challenge }
    },
    browser: () => newBrowser(),
    async close() {
      await auth.close()
      await Promise.all([server.close(), provider.close()])
    },
  }
}

export interface Shown {
  status: number
  url: string
  html: string
  headers: Headers
}

/** A browser with its cookies, which all servers of this machine share as real ones do. */
export function newBrowser() {
  const cookies = new Map<string, string>()
  const visited: string[] = []

  async function visit(url: string, form?: Record<string, string>): Promise<Response> {
    visited.push(url)
    const cookie = Array.from(cookies, (pair) => pair.join("=")).join("; ")
    const body = form ? { method: "POST", body: new URLSearchParams(form) } : {}
    const response = await fetch(url, { redirect: "manual", headers: { cookie }, ...body })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }

  /** Follows redirects until a page is shown, or the app's own scheme is reached. */
  async function open(first: string, form?: Record<string, string>): Promise<Shown> {
    let url = first
    let fields = form
    for (let hop = 0; hop < 12; hop++) {
      if (!url.startsWith("http")) return { status: 0, url, html: "", headers: new Headers() }
      const response = await visit(url, fields)
      fields = undefined
      const html = await response.text()
      const refresh = /<meta http-equiv="refresh" content="0;url=([^"]+)"/.exec(html)?.[1]
      const location = response.headers.get("location") ?? refresh?.replaceAll("&amp;", "&")
      if (!location) return { status: response.status, url, html, headers: response.headers }
      url = new URL(location, url).href
    }
    throw new Error("in circles")
  }

  return { cookies, visited, visit, open }
}

/** Where the page's button, or its script, leads. */
export function targetOf({ html }: Shown): URL {
  const [, href = ""] = /<a [^>]*href="([^"]+)"/.exec(html) ?? []
  return new URL(href.replaceAll("&amp;", "&"))
}

/** Clicks the button of the poll delivery's page. */
export async function click(browser: ReturnType<typeof newBrowser>, page: Shown): Promise<Shown> {
  const [, token = ""] = /name="confirm" value="([^"]+)"/.exec(page.html) ?? []
  return browser.open(page.url, { confirm: token })
}
