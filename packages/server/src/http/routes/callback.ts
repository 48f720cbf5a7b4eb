import type { HostedConfig } from "../../config/config.js"
import { PkceError } from "../../errors.js"
import type { HostedPages } from "../hosted-pages.js"
import type { Route } from "../route.js"
import type { CallbackParameters, Leg } from "../use-cases/hosted-browser.js"
import { flowCookie, flowCookies } from "./login.js"

const LONGEST = 16_384
const NAMES = ["code", "state", "iss", "error"] as const

/** B2, B6: a parameter that is there twice, or empty, is an answer that nobody can read. */
function parametersOf(query: string): CallbackParameters {
  const malformed = () => new PkceError("invalid_request", { reason: "callback_malformed" })
  if (query.length > LONGEST) throw malformed()
  const all = new URLSearchParams(query)
  const parameters: CallbackParameters = {}
  for (const name of NAMES) {
    const [value, ...more] = all.getAll(name)
    if (more.length > 0 || value === "") throw malformed()
    if (value !== undefined) parameters[name] = value
  }
  if (parameters.code !== undefined && parameters.error !== undefined) throw malformed()
  return parameters
}

/** `GET /callback`: the browser comes back from the provider. Here alone a code is taken from a URL. */
export const callbackRoute = (
  hosted: HostedConfig,
  pages: HostedPages,
  callback: (
    parameters: CallbackParameters,
    cookieOf: (loginId: string) => string | undefined,
  ) => Promise<Leg>,
): Route => ({
  method: "GET",
  path: "/callback",
  takesCode: true,
  navigated: true,
  handle: ({ request }) =>
    pages.answer(request, async () => {
      const cookies = flowCookies(request, hosted)
      return { leg: await callback(parametersOf(request.query), (id) => cookies.get(flowCookie(id))) }
    }),
})
