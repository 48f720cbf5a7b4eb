import { HttpResponse, http } from "msw"
import { setupServer } from "msw/node"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { createPkceClient } from "../src/client.js"
import { webCrypto } from "../src/pkce/crypto.js"
import { fakeBackend, provider } from "../src/testing/backend.js"
import { fakeClock } from "../src/testing/clock.js"
import { codeOf, honest, REDIRECT } from "../src/testing/device.js"
import { fakeStorage } from "../src/testing/storage.js"

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledRequest: "error" }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

/** An app whose platform has no `http` of its own, in front of the backend as the network shows it. */
function app() {
  const clock = fakeClock()
  const backend = fakeBackend(clock)
  server.use(
    http.all("https://api.example.com/auth/*", async ({ request }) => {
      const body = await request.text()
      const { method, headers, url } = request
      return backend.http(url, { method, headers, ...(body && { body }) })
    }),
  )
  const auth = createPkceClient({
    server: "https://api.example.com/auth",
    redirectUri: REDIRECT,
    providers: [provider],
    platform: {
      name: "test",
      crypto: webCrypto,
      storage: fakeStorage(),
      browser: {
        start: (redirectUri) => ({
          redirectUri,
          open: async (url) => ({ type: "callback", url: honest(backend, url) }),
          close() {},
        }),
      },
    },
  })
  return { auth, backend }
}

it("logs in and calls the API over the engine's own fetch and WebCrypto", async () => {
  const { auth, backend } = app()
  expect(await auth.login()).toMatchObject({ status: "signed_in" })
  let bearer: string | null = null
  server.use(
    http.get("https://api.example.com/me", ({ request }) => {
      bearer = request.headers.get("authorization")
      return HttpResponse.json({ me: true })
    }),
  )
  expect(await (await auth.fetch("/me")).json()).toEqual({ me: true })
  expect(bearer).toBe(`Bearer ${await auth.getSessionToken()}`)
  expect(backend.requests.map(({ route }) => route)).toEqual(["POST /exchange"])
})

it("R18 follows no redirect of the wire, so that no credential goes where a portal points", async () => {
  const { auth } = app()
  await auth.login()
  let visited = 0
  server.use(
    http.get("https://api.example.com/auth/sessions", () => HttpResponse.redirect("https://portal.example/")),
    http.all("https://portal.example/", () => {
      visited++
      return HttpResponse.json({ sessions: [] }, { headers: { "Pkce-Protocol": "1" } })
    }),
  )
  expect(await codeOf(auth.sessions.list())).toBe("network")
  expect(visited).toBe(0)
  expect(auth.session).not.toBeNull()
})
