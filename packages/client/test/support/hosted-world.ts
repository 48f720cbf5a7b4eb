import { type Hosted, startHosted, targetOf } from "../../../server/test/support/hosted.js"
import type { ClockPort } from "../../src/platforms/ports.js"
import { REDIRECT } from "../../src/testing/device.js"
import type { World } from "./hosts.js"

/** Pauses pass fifty times as fast; the patience for an answer is not shortened, since this backend is a real one. */
const clock: ClockPort = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds < 5000 ? milliseconds / 50 : milliseconds)
    return () => clearTimeout(timer)
  },
}

/** What a person does with a URL that is opened in a browser of their own: `deny` says no at the provider. */
export type Person = "logs in" | "denies"

export interface HostedWorld extends World {
  backend: Hosted
  /** The routes that were asked, with their bodies, oldest first. */
  asked: { route: string; body: string; status?: number }[]
  /** While it answers something, that is what comes of a request, or of the attempt. */
  fault: ((route: string) => "down" | "lost" | undefined) | null
  person: Person
  /** All that the user has at the backend. */
  sessions(): Promise<string[]>
}

/** A real backend with hosted login, a real provider behind it, and a person who logs in in a browser. */
export async function startHostedWorld(): Promise<HostedWorld> {
  const backend = await startHosted({
    options: { redirectUris: [REDIRECT, "http://127.0.0.1/callback", "https://app.example.com/callback"] },
  })
  const subjects = new Set<string>()
  const world: HostedWorld = {
    backend,
    clock,
    server: backend.url,
    asked: [],
    fault: null,
    person: "logs in",
    async http(input, init) {
      const route = `${init?.method} ${String(input).slice(backend.url.length)}`
      const fault = world.fault?.(route)
      const seen: HostedWorld["asked"][number] = { route, body: String(init?.body) }
      world.asked.push(seen)
      if (fault === "down") throw new TypeError("fetch failed")
      const answer = await fetch(input, init)
      seen.status = answer.status
      const { user_info } = await answer.clone().json()
      if (user_info) subjects.add(user_info.sub)
      if (fault === "lost") throw new TypeError("fetch failed")
      return answer
    },
    async callbackFor(url) {
      const browser = backend.browser()
      if (world.person === "logs in") {
        const page = await browser.open(url)
        return page.url.startsWith(backend.url) ? targetOf(page).href : page.url
      }
      return targetOf(await browser.open(await denialOf(browser, url))).href
    },
    async sessions() {
      const lists = await Promise.all([...subjects].map((sub) => backend.auth.sessions.list(sub)))
      return lists.flat().map(({ sid }) => sid)
    },
  }
  return world
}

/** Where the provider sends a user who says no. */
export async function denialOf(
  browser: ReturnType<Hosted["browser"]>,
  url: string,
  form?: Record<string, string>,
) {
  const leaving = await browser.visit(url, form)
  const [, next = ""] = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(await leaving.text()) ?? []
  const provider = new URL(leaving.headers.get("location") ?? next.replaceAll("&amp;", "&"))
  const callback = `${url.split("/login/")[0]}/callback`
  const state = provider.searchParams.get("state") ?? (await pushedState(provider))
  return `${callback}?${new URLSearchParams({ error: "access_denied", state, iss: provider.origin })}`
}

/** A pushed request (RFC 9126) keeps the state at the provider, which tells it where it sends the user back. */
async function pushedState(provider: URL): Promise<string> {
  const cookies = new Map<string, string>()
  let url = provider.href
  for (let hop = 0; hop < 8; hop++) {
    const cookie = Array.from(cookies, (pair) => pair.join("=")).join("; ")
    const response = await fetch(url, { redirect: "manual", headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    url = new URL(response.headers.get("location") ?? "", url).href
    if (!url.startsWith(provider.origin)) return new URL(url).searchParams.get("state") ?? ""
  }
  throw new Error("in circles")
}
