import type { Platform } from "@pkce/client"
import { answered, asked, type Memory, opened, returned } from "./app-steps.js"
import type { Tell } from "./step.js"

/**
 * A platform that behaves as the given one and tells what passes through it: steps 1, 2, 4, 5 and 8 of a login, calls,
 * refreshes, the logout.
 *
 * @example
 * ```ts
 * const auth = createPkceClient({ server, redirectUri, platform: watchApp(cli(), print) })
 * ```
 */
export function watchApp(platform: Platform, tell: Tell, memory: Memory = new Map()): Platform {
  const { browser, callbackUrl } = platform
  const send: typeof fetch = platform.http ?? ((input, init) => fetch(input, init))

  const http: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input))
    const exchange = {
      route: `${init?.method ?? "GET"} ${url.pathname.replace(/^\/auth(?=\/)/, "")}`,
      body: typeof init?.body === "string" ? JSON.parse(init.body) : {},
      bearer: new Headers(init?.headers).get("authorization")?.replace(/^Bearer /, ""),
    }
    for (const step of await asked(exchange, memory)) tell(step)
    const response = await send(input, init)
    const isJson = response.headers.get("content-type")?.includes("json")
    const answer = isJson ? await response.clone().json() : {}
    for (const step of answered(exchange, response.status, answer, memory)) tell(step)
    return response
  }

  return {
    ...platform,
    http,
    browser: {
      ...browser,
      async start(redirectUri, clock) {
        const run = await browser.start(redirectUri, clock)
        return {
          ...run,
          async open(url, expects) {
            for (const step of await opened(url, memory)) tell(step)
            const outcome = await run.open(url, expects)
            if (outcome.type === "callback")
              for (const step of await returned(outcome.url, memory)) tell(step)
            return outcome
          },
        }
      },
    },
    ...(callbackUrl && {
      async callbackUrl() {
        const url = await callbackUrl()
        if (url) for (const step of await returned(url, memory)) tell(step)
        return url
      },
    }),
  }
}
