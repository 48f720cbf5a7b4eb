import { spawn } from "node:child_process"
import { mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type LocalProvider, logInHeadless, startLocalProvider } from "@pkce-examples/local-provider"
import { environmentOf } from "@pkce-examples/local-provider/acceptance"
import { type RunningExample, runExample } from "@pkce-examples/local-provider/run-example"
import { afterAll, beforeAll, expect, it } from "vitest"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
let folder: string
let provider: LocalProvider
let backend: RunningExample

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-cli-app-"))
  provider = await startLocalProvider()
  const environment = environmentOf(provider, folder)
  backend = await runExample(here("../../express"), ["--import", "tsx", "src/server.ts"], environment)
})
afterAll(async () => {
  await backend?.stop()
  await provider?.close()
  await rm(folder, { recursive: true, force: true })
})

/** Runs one command to its end; every URL that it asks to open is opened. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", "src/main.ts", ...args], {
    cwd: here(".."),
    env: { ...process.env, SERVER: `${backend.url}/auth`, STATE_DIRECTORY: join(folder, "state") },
  })
  let output = ""
  let visit: Promise<unknown> | undefined
  const read = (chunk: Buffer) => {
    output += chunk
    const url = /^Open (\S+)\n/m.exec(output)?.[1]
    if (url) visit ??= logInHeadless(url, { user: "Ada Lovelace" })
  }
  child.stdout.on("data", read)
  child.stderr.on("data", read)
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  await visit
  return { code, output }
}

it("logs in once, is known to the next commands, and is out after logout", async () => {
  const nobody = await run("whoami")
  expect(nobody.output).toContain("invalid_token")

  const login = await run("login", "--no-browser")
  expect(login).toMatchObject({ code: 0, output: expect.stringContaining("Hello Ada Lovelace.") })

  const me = await run("whoami")
  expect(me.code).toBe(0)
  expect(JSON.parse(me.output)).toEqual({ user: { sub: expect.stringMatching(/^[\w-]{43}$/) } })
  expect((await run("devices")).output).toBe("* Command line\n")

  expect((await run("logout")).output).toBe("Signed out.\n")
  expect((await run("whoami")).output).toContain("invalid_token")
  expect(await run("devices")).toMatchObject({ code: 1, output: expect.stringContaining("invalid_token") })
})

it("keeps the session where only its user can read it", async () => {
  await run("login", "--no-browser")
  const state = join(folder, "state")
  expect((await stat(state)).mode & 0o077).toBe(0)
  const files = await readdir(state)
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) expect((await stat(join(state, file))).mode & 0o077).toBe(0)
})

it("says which commands there are", async () => {
  expect(await run("dance")).toEqual({ code: 2, output: "Commands: login, whoami, devices, logout\n" })
})
