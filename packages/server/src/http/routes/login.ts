import { toBase64url } from "@pkce/protocol"
import { randomBytes } from "#crypto"
import type { HostedConfig } from "../../config/config.js"
import { LOGIN_LIFETIME } from "../../hosted/records.js"
import { type Cookies, createCookies } from "../cookies.js"
import type { HostedPages } from "../hosted-pages.js"
import type { HttpRequest } from "../message.js"
import type { Route } from "../route.js"
import type { Leg, Visit } from "../use-cases/hosted-browser.js"

interface Legs {
  open(loginId: string, visit: Visit): Promise<Leg>
  confirm(loginId: string, visit: Partial<Visit>, token: unknown): Promise<Leg>
}

const COOKIE = /^[\w-]{43}$/

/** The name of a login's flow cookie: one for each, so that several at once do not meet (J6). */
export const flowCookie = (loginId: string): string => `login-${loginId}`

export const flowCookies = (request: HttpRequest, { url }: HostedConfig): Cookies =>
  createCookies(request, !url.startsWith("http:"))

/** `GET /login/{login_id}` opens a hosted login in the browser; `POST` is the click of the poll delivery. */
export function loginRoutes(hosted: HostedConfig, pages: HostedPages, legs: Legs): Route[] {
  return [
    {
      method: "GET",
      path: "/login/{id}",
      navigated: true,
      handle: ({ request, id }) =>
        pages.answer(request, async () => {
          const cookies = flowCookies(request, hosted)
          const own = cookies.get(flowCookie(id)) ?? ""
          // Kept where it is ours by form: a reload must not cut off what another tab has begun.
          const cookie = COOKIE.test(own) ? own : toBase64url(randomBytes(32))
          const leg = await legs.open(id, { cookie, address: request.address })
          cookies.set(flowCookie(id), cookie, LOGIN_LIFETIME)
          return { leg, headers: cookies.headers() }
        }),
    },
    {
      method: "POST",
      path: "/login/{id}",
      navigated: true,
      body: "form",
      handle: ({ request, body, id }) =>
        pages.answer(request, async () => {
          const cookie = flowCookies(request, hosted).get(flowCookie(id))
          const visit = { address: request.address, ...(cookie !== undefined && { cookie }) }
          return { leg: await legs.confirm(id, visit, body.confirm) }
        }),
    },
  ]
}
