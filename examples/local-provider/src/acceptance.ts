import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createPkceClient } from "@pkce/client"
import { cli } from "@pkce/client/cli"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClock } from "./clock.js"
import { logInHeadless } from "./headless.js"
import { type LocalProvider, startLocalProvider } from "./provider.js"
import { type RunningExample, runExample } from "./run-example.js"
import { settingsOf } from "./settings.js"

/** The environment of an example. */
export const environmentOf = (provider: LocalProvider, folder: string): Record<string, string> => ({
  ...settingsOf(provider),
  DATABASE: join(folder, "auth.db"),
  PORT: "0",
})

/** What every backend example must do, shown with the real client, a real provider and HTTP in between. */
export function acceptance(name: string, directory: string, args = ["--import", "tsx", "src/server.ts"]) {
  describe(name, () => {
    let folder: string
    let provider: LocalProvider
    let example: RunningExample

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "pkce-example-"))
      provider = await startLocalProvider()
      example = await runExample(directory, args, environmentOf(provider, folder))
      // Some compile a route when it is first asked for, for longer than an app waits on a busy machine.
      for (const path of ["/auth/config", "/me"]) await fetch(example.url + path)
    })
    afterAll(async () => {
      await example?.stop()
      await provider?.close()
      await rm(folder, { recursive: true, force: true })
    })

    const appFor = (user: string, device: string, clock = createClock()) =>
      createPkceClient({
        server: `${example.url}/auth`,
        redirectUri: "http://127.0.0.1/callback",
        device: { name: device },
        platform: {
          ...cli({
            directory: join(folder, device),
            openBrowser: async (url) => {
              await logInHeadless(url, { user })
            },
          }),
          clock,
        },
      })

    it("logs in, answers who it is, refreshes and logs out", async () => {
      const app = appFor("Ada Lovelace", "one")
      expect(await app.login()).toMatchObject({ status: "signed_in" })

      const me = await app.fetch("/me")
      expect(me.status).toBe(200)
      const { user } = (await me.json()) as { user: { sub: string } }
      expect(user.sub).toMatch(/^[\w-]{43}$/)

      const sessions = await app.sessions.list()
      expect(sessions).toEqual([expect.objectContaining({ current: true })])

      // A new start of the app, with the storage that the last one left, when the session token has ended.
      const clock = createClock()
      const restarted = appFor("Ada Lovelace", "one", clock)
      expect((await restarted.restore()).session).toMatchObject({ id: sessions[0]?.session_id })
      const before = await restarted.getSessionToken()
      clock.advance(3600)
      expect((await restarted.fetch("/me")).status).toBe(200)
      expect(await restarted.getSessionToken()).not.toBe(before)

      await restarted.logout()
      expect(restarted.session).toBeNull()
      expect((await restarted.fetch("/me")).status).toBe(401)
      expect((await appFor("Ada Lovelace", "one").restore()).session).toBeNull()
    })

    it("a second login is a second device of the same user, and ends with the first one's word", async () => {
      const clock = createClock()
      const phone = appFor("Grace Hopper", "phone")
      const laptop = appFor("Grace Hopper", "laptop", clock)
      await phone.login()
      await laptop.login()
      const sessions = await phone.sessions.list()
      expect(sessions).toHaveLength(2)
      const other = sessions.find((session) => !session.current)
      await phone.sessions.revoke(other?.session_id ?? "")

      const told: unknown[] = []
      laptop.subscribe((event) => told.push(event))
      clock.advance(3600)
      expect(await laptop.getSessionToken()).toBeNull()
      expect(told).toEqual([{ type: "signed_out", session: null, reason: "session_revoked" }])
      expect(laptop.session).toBeNull()
      expect(await phone.sessions.list()).toHaveLength(1)
    })

    it.each([
      ["no token", {}],
      ["a token that nobody signed", { authorization: "Bearer not.a.token" }],
    ])("the guard refuses %s, in the one error shape", async (_, headers) => {
      const response = await fetch(`${example.url}/me`, { headers })
      expect(response.status).toBe(401)
      expect(response.headers.get("cache-control")).toContain("no-store")
      expect(await response.json()).toMatchObject({ error: "invalid_token", retryable: false })
    })

    it("refuses a code that was not issued here, and says no more than that", async () => {
      const response = await fetch(`${example.url}/auth/exchange`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          code: "never-issued",
          code_verifier: "v".repeat(43),
          redirect_uri: "http://127.0.0.1:50000/callback",
          nonce: "n".repeat(43),
          iss: provider.issuer,
        }),
      })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: "login_failed" })
    })
  })
}
