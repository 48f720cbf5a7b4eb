import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, expect, it } from "vitest"
import { createSealedCheck } from "../src/sealed.js"

const directory = fileURLToPath(new URL("..", import.meta.url))
const home = mkdtempSync(join(tmpdir(), "pkce-demo-"))
afterAll(() => rmSync(home, { recursive: true }))

// Writes the address of everything that begins to listen to the standard error output.
const recordListens = `data:text/javascript,${encodeURIComponent(`
  import net from "node:net"
  const { listen } = net.Server.prototype
  net.Server.prototype.listen = function (...args) {
    this.once("listening", () => console.error("LISTENS " + JSON.stringify(this.address())))
    return listen.apply(this, args)
  }
`)}`

function start(...args: string[]) {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--import", recordListens, "src/main.ts", ...args],
    { cwd: directory, env: { ...process.env, DEMO_DIRECTORY: home } },
  )
  const output = { out: "", err: "" }
  child.stdout.on("data", (chunk) => {
    output.out += chunk
  })
  child.stderr.on("data", (chunk) => {
    output.err += chunk
  })
  const ended = once(child, "close").then(([code]) => code as number | null)
  return { child, output, ended }
}

const listens = (err: string) =>
  [...err.matchAll(/LISTENS (.+)/g)].map(([, address = ""]) => JSON.parse(address))

it("--once logs in headless, prints the eight steps in order, and ends with 0", async () => {
  const { output, ended } = start("--once")
  expect({ code: await ended, ...output }).toMatchObject({ code: 0 })
  const numbers = [...output.out.matchAll(/^ ([1-8]) +[│◉●◀]/gm)].map(([, number]) => Number(number))
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(output.out).toContain("Every comparison held.")
  expect(output.out).not.toContain("✗")
  expect(output.out).not.toContain("\x1b[")
  // GR2: nothing that is long enough to be a code, a token or a verifier.
  expect(output.out.match(/[\w-]{30,}/g)).toBeNull()
  // Provider, web app, and the loopback listener of the command line; none for the network.
  const addresses = listens(output.err)
  expect(addresses.length).toBeGreaterThanOrEqual(3)
  for (const { address } of addresses) expect(address).toBe("127.0.0.1")
  expect(output.err.replaceAll(/LISTENS .+\n/g, "")).toBe("")
  expect(readdirSync(home)).toEqual([])
})

it.each(["SIGINT", "SIGTERM"] as const)(
  "stays with the web app until %s, which ends everything",
  async (signal) => {
    const { child, output, ended } = start()
    await expect.poll(() => output.out + output.err, { timeout: 30_000 }).toContain("Ctrl-C")
    const url = /in the browser: (\S+)/.exec(output.out)?.[1] ?? ""
    const page = await fetch(url)
    expect(await page.text()).toContain("One login, drawn as it happens")
    child.kill(signal)
    expect(await ended).toBe(0)
    for (const { port } of listens(output.err)) {
      await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow("fetch failed")
    }
  },
)

it("two demos may run at once", async () => {
  const both = [start("--once"), start("--once")]
  const ends = both.map(async ({ ended, output }) => ((await ended) === 0 ? "ended well" : output))
  expect(await Promise.all(ends)).toEqual(["ended well", "ended well"])
})

it("finds a secret that stands in the database or in its journal", () => {
  const folder = mkdtempSync(join(tmpdir(), "pkce-sealed-"))
  const file = join(folder, "auth.db")
  const isSealed = createSealedCheck(file)
  writeFileSync(file, "rows")
  expect(isSealed(["token"])).toBe(true)
  writeFileSync(`${file}-wal`, "a row with a token in it")
  expect(isSealed(["token"])).toBe(false)
  rmSync(`${file}-wal`)
  writeFileSync(file, "another, token")
  expect(isSealed(["other", "token"])).toBe(false)
  rmSync(folder, { recursive: true })
})
