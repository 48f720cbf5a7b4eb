import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { startLocalProvider } from "@pkce-examples/local-provider"
import { environmentOf } from "@pkce-examples/local-provider/acceptance"
import { runExample } from "@pkce-examples/local-provider/run-example"
import { expect, it } from "vitest"

it("runs on its own, from the environment, and serves a page that loads nothing from elsewhere", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pkce-web-app-"))
  const provider = await startLocalProvider()
  const directory = fileURLToPath(new URL("..", import.meta.url))
  const environment = environmentOf(provider, folder)
  const example = await runExample(directory, ["--import", "tsx", "src/server.ts"], environment)
  try {
    const config = await fetch(`${example.url}/auth/config`)
    expect(await config.json()).toMatchObject({ providers: [{ issuer: provider.issuer }] })
    const page = await fetch(example.url)
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'")
    expect(await page.text()).not.toMatch(/(src|href)="(https?:)?\/\//)
    const script = await (await fetch(`${example.url}/main.js`)).text()
    for (const secret of [provider.clientSecret, environment.PKCE_SECRET, "client_secret="]) {
      expect(script.includes(secret ?? "")).toBe(false)
    }
    expect((await fetch(`${example.url}/api/me`)).status).toBe(401)
  } finally {
    await example.stop()
    await provider.close()
    await rm(folder, { recursive: true, force: true })
  }
})
