import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { PkceError } from "../errors.js"
import type { BrowserOutcome, BrowserPort } from "./ports.js"

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Done</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<body style="font:1.1rem system-ui;display:grid;place-content:center;min-height:90vh">
<p>You may close this window and go back to the program.</p></body></html>`

const HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  Connection: "close",
}

/** Only the two loopback addresses; `localhost` may be resolved to something else (RFC 8252 section 8.3). */
const REDIRECT = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?(\/[^?#]*)?$/

const listening = (server: Server, host: string, wanted: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", () => reject(new PkceError("network", "start")))
    server.listen(wanted, host, () => resolve((server.address() as AddressInfo).port))
  })

/**
 * The system's browser, and a loopback listener for the way back: on a free port (RFC 8252 section 7.3), or on the one that
 * the redirect URI names, for a provider that compares it.
 */
export function loopbackBrowser(openBrowser: (url: string) => void | Promise<void>): BrowserPort {
  return {
    async start(redirectUri) {
      const found = REDIRECT.exec(redirectUri)
      if (!found) throw new PkceError("redirect_uri_not_allowed", "start")
      const [, host = "", wanted = "0", path = "/"] = found
      let accept = (_: string) => false
      let end = (_: BrowserOutcome) => {}
      const server = createServer((request, response) => {
        const url = `http://${host}:${port}${request.url}`
        // The name check keeps pages out that gave their own host name this address.
        const ours = request.method === "GET" && request.headers.host === `${host}:${port}`
        if (!ours || request.url?.split("?")[0] !== path || !accept(url)) {
          response.writeHead(404, HEADERS).end()
          return
        }
        response.writeHead(200, HEADERS).end(PAGE, () => end({ type: "callback", url }))
      })
      const port = await listening(server, host.replace(/[[\]]/g, ""), Math.min(Number(wanted), 65_535))

      return {
        redirectUri: `http://${host}:${port}${path}`,
        open: (url, expects) =>
          new Promise((resolve, reject) => {
            end = resolve
            accept = expects
            Promise.resolve(openBrowser(url)).catch(reject)
          }),
        close() {
          end({ type: "cancelled" })
          server.close()
          server.closeIdleConnections()
        },
      }
    },
    visit: openBrowser,
  }
}
