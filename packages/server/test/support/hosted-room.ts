import type { ErrorAnswer, Grant, StartAnswer, StartRequest } from "@pkce/protocol"
import type { PkceServerOptions } from "../../src/config/options.js"
import type { HttpAnswer } from "../../src/http/message.js"
import type { PkceServer } from "../../src/server-types.js"
import { memoryStore } from "../../src/stores/memory.js"
import type { FakeProviderOptions } from "../../src/testing/provider-types.js"
import { type Call, call, type Fixture, parsed, random, s256, startServer } from "./server.js"

/** Where the browser finds the backend. No socket: what goes there is given to the server as a mount would. */
export const MOUNT = "https://api.example.com/auth"
/** What the app registered. */
export const APP = "com.example.app:/callback"
/** A page that may get the handoff by message. */
export const PAGE = "https://app.example.com"

export type HostedRoom = Awaited<ReturnType<typeof openHosted>>
export type Login = Awaited<ReturnType<HostedRoom["start"]>>

/** A backend with every delivery, as the public sees it: at an https URL, before the fake provider. */
export async function openHosted(
  options: Partial<PkceServerOptions> = {},
  provider: FakeProviderOptions = {},
) {
  let ahead = 0
  const store = memoryStore({ now: () => Date.now() + ahead })
  const fixture: Fixture = await startServer(
    {
      url: MOUNT,
      hosted: { poll: true, origins: [PAGE], name: "Example" },
      redirectUris: [
        APP,
        "com.example.app://callback",
        "https://app.example.com/signed-in?app=1&x=%2F",
        "http://127.0.0.1/callback",
      ],
      store,
      ...options,
    },
    provider,
  )

  const post = (path: string, body: unknown, more: Partial<Call> & { on?: PkceServer } = {}) => {
    const { on = fixture.auth, ...rest } = more
    return call(on, { path, body, ...rest })
  }

  /** A request of the browser for a URL of the backend. */
  function ask(url: string, more: Partial<Call> & { on?: PkceServer } = {}): Promise<HttpAnswer> {
    const { on = fixture.auth, ...rest } = more
    const [path = "", query = ""] = url.slice(MOUNT.length).split("?")
    return call(on, { method: "GET", path, query, ...rest })
  }

  return {
    ...fixture,
    post,
    ask,
    /** Sets the store's clock forward, in seconds. */
    jump(seconds: number) {
      ahead += seconds * 1000
    },
    /** A login as an app starts it. */
    async start(request: Partial<StartRequest> = {}, on?: PkceServer) {
      const verifier = random()
      const state = random()
      const { delivery = "redirect" } = request
      const target = delivery === "redirect" ? { redirect_uri: APP } : {}
      const asked = { delivery, state, code_challenge: s256(verifier), ...target, ...request }
      const answer = await post("/start", asked, on ? { on } : {})
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
      return { ...(JSON.parse(answer.body) as StartAnswer), verifier, state, challenge: s256(verifier) }
    },
    browser: () => newBrowser(ask),
  }
}

/** A browser with the backend's cookies. `on`: the process that answers it. */
function newBrowser(ask: (url: string, more?: Partial<Call> & { on?: PkceServer }) => Promise<HttpAnswer>) {
  const cookies = new Map<string, string>()

  async function visit(url: string, more: Partial<Call> & { on?: PkceServer } = {}): Promise<HttpAnswer> {
    const cookie = Array.from(cookies, (pair) => pair.join("=")).join("; ")
    const answer = await ask(url, { ...more, headers: { ...(cookie && { cookie }), ...more.headers } })
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(answer.headers["Set-Cookie"] ?? "") ?? []
    if (name) cookies.set(name, value)
    return answer
  }

  /** What the button of the poll delivery's page sends. */
  const click = (url: string, token: string, on?: PkceServer) =>
    visit(url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      raw: new URLSearchParams({ confirm: token }).toString(),
      ...(on && { on }),
    })

  /** From the login's page to the URL with which the provider sends the browser back; not yet visited. */
  async function logIn(login: { authorize_url: string }, on?: PkceServer): Promise<string> {
    const more = on ? { on } : {}
    let answer = await visit(login.authorize_url, more)
    const token = tokenOf(answer)
    if (token !== null) answer = await click(login.authorize_url, token, on)
    return atProvider(answer.headers.Location ?? String(targetOf(answer)))
  }

  return {
    cookies,
    visit,
    click,
    logIn,
    /** The whole way, to what the backend shows at the end. */
    async finish(login: { authorize_url: string }, on?: PkceServer): Promise<HttpAnswer> {
      return visit(await logIn(login, on), on ? { on } : {})
    },
  }
}

/** The user says yes at the provider: the URL of our callback. */
export async function atProvider(url: string): Promise<string> {
  const response = await fetch(url, { redirect: "manual" })
  const location = response.headers.get("location")
  if (!location?.startsWith(`${MOUNT}/callback?`)) throw new Error(`${response.status} ${location}`)
  return location
}

const decoded = (html: string) => html.replaceAll("&amp;", "&").replaceAll("&quot;", '"')

/** The token beside the poll delivery's button; `null` on any other page. */
export const tokenOf = ({ body }: HttpAnswer): string | null =>
  /name="confirm" value="([^"]+)"/.exec(body)?.[1] ?? null

/** Where the page's button leads; `null` where it has none. */
export const targetOf = ({ body }: HttpAnswer): string | null => {
  const href = /<a [^>]*href="([^"]+)"/.exec(body)?.[1]
  return href === undefined ? null : decoded(href)
}

/** What the page posts, and to whom. */
export const messageOf = ({ body }: HttpAnswer) => {
  const [, message, , origin = null] = /data-message="([^"]+)"( data-origin="([^"]+)")?/.exec(body) ?? []
  return message === undefined ? null : { message: JSON.parse(decoded(message)), origin }
}

/** What came back to the app in its redirect URI. */
export const backOf = (answer: HttpAnswer): Record<string, string> =>
  Object.fromEntries(new URL(targetOf(answer) ?? "none:").searchParams)

export const handoffOf = (answer: HttpAnswer): string => {
  const { handoff } = messageOf(answer)?.message ?? backOf(answer)
  if (typeof handoff !== "string") throw new Error(`no handoff: ${answer.status}`)
  return handoff
}

/** The request that redeems a handoff; `line` is the verifier of the session's first step. */
export const redemption = (login: Login, handoff: string, line: string) => ({
  login_id: login.login_id,
  handoff,
  code_verifier: login.verifier,
  session_challenge: s256(line),
})

export const polling = (login: Login, line: string) => ({
  login_id: login.login_id,
  code_verifier: login.verifier,
  session_challenge: s256(line),
})

export const grantOf = (answer: HttpAnswer): Grant => {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
  return parsed(answer)
}

/** Status and error code of a refusal. */
export const verdict = (answer: HttpAnswer) => [answer.status, (JSON.parse(answer.body) as ErrorAnswer).error]

/** The same URL with one parameter changed, or without it. */
export function withParameter(url: string, name: string, value: string | null): string {
  const changed = new URL(url)
  if (value === null) changed.searchParams.delete(name)
  else changed.searchParams.set(name, value)
  return changed.href
}
