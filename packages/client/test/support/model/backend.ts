import type { PkceEvent } from "../../../../server/src/events.js"
import { createPkceServer } from "../../../../server/src/server.js"
import type { Random } from "../random.js"
import type { Invariants } from "./invariants.js"
import { type CookieJar, cookieJar } from "./network.js"
import { authorize, deny, ISSUER, provider } from "./provider.js"

export const ORIGIN = "https://app.example.com"
export const BASE = `${ORIGIN}/auth`
export const REDIRECT = `${ORIGIN}/callback`

/** The real backend, with an API of the team's, and the browser's way by it to the provider. */
export function createBackend(
  { note, learnSecrets }: Invariants,
  random: Random,
  draws: Random,
  isHosted: boolean,
) {
  const told: PkceEvent[] = []
  const auth = createPkceServer({
    ...provider,
    url: BASE,
    redirectUris: [REDIRECT],
    secrets: ["the-model-test-secret-0123456789abcdef"],
    ...(isHosted && { hosted: { name: "Example" } }),
    rateLimit: false,
    allowMemoryStore: true,
    onEvent: (event) => void told.push(event),
    onWarning: () => {},
  })

  /** The backend's own routes, and an API of the team's. */
  async function answer(cookies: CookieJar, url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    if (url === `${ORIGIN}/me`) {
      const token = headers.get("authorization")?.replace("Bearer ", "") ?? ""
      const session = await auth.authenticate(token, { checkRevocation: true })
      return new Response(session?.id, { status: session ? 200 : 401 })
    }
    headers.set("origin", ORIGIN)
    headers.set("sec-fetch-site", "same-origin")
    if (init.credentials === "include") headers.set("cookie", cookies.header())
    const { method = "GET", body = null } = init
    const response = await auth.fetch(new Request(url, { method, headers, body }))
    cookies.take(response)
    note(`  backend: ${method} ${new URL(url).pathname} ${response.status}`)
    const isJson = response.headers.get("content-type")?.includes("json")
    if (isJson) learnSecrets(await response.clone().json())
    return response
  }

  /** A browser goes from the app's URL to the provider and back to the app, by the backend where that does the login. */
  async function browse(first: string, consents: boolean): Promise<string> {
    const cookies = cookieJar()
    const user = random.of(["alice", "bob"])
    let url = first
    for (let hop = 0; hop < 9 && !url.startsWith(REDIRECT); hop++) {
      if (url.startsWith(ISSUER)) {
        const code = Buffer.from(draws.bytes(24)).toString("base64url")
        learnSecrets({ code })
        url = consents ? authorize(url, user, code) : deny(url)
      } else {
        const answer = await auth.fetch(new Request(url, { headers: { cookie: cookies.header() } }))
        cookies.take(answer)
        const [, , next = ""] =
          /(http-equiv="refresh" content="0;url=|<a [^>]*href=")([^"]+)"/.exec(await answer.text()) ?? []
        url = answer.headers.get("location") ?? next.replaceAll("&amp;", "&")
      }
    }
    return url
  }

  return { auth, told, answer, browse }
}
