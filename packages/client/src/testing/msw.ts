import type { FakeBackend } from "./backend.js"

/** `http` of msw. */
export interface MswHttp<Handler> {
  all(path: string, resolve: (info: { request: Request }) => Promise<Response>): Handler
}

/**
 * The fake backend as handlers of msw, for an app whose client uses the global `fetch`. msw is passed in.
 *
 * @param base where the client's `server` is, such as `https://api.example.com/auth`.
 * @example
 * ```ts
 * import { http } from "msw"
 * import { setupServer } from "msw/node"
 *
 * const server = setupServer(...mswHandlers(http, fakeBackend(fakeClock()), "https://api.example.com/auth"))
 * ```
 */
export function mswHandlers<Handler>(http: MswHttp<Handler>, backend: FakeBackend, base: string): Handler[] {
  return [
    http.all(`${base}/*`, async ({ request }) => {
      const { method, headers } = request
      const body = await request.text()
      // A fault that is no answer: for `fetch` the network has failed.
      return backend
        .http(request.url, { method, headers, ...(body !== "" && { body }) })
        .catch(() => Response.error())
    }),
  ]
}
