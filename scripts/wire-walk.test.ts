import { spawn, spawnSync } from "node:child_process"
import { createHeadlessBrowser } from "@pkce-examples/local-provider"
import { type RunningBackend, startBackend } from "@pkce-examples/local-provider/backend"
import { afterAll, beforeAll, expect, it } from "vitest"
import { blocks, pages } from "./docs/markdown.js"

const HEADING = "## A login by poll, with curl"
const TOOLS = ["sh", "curl", "openssl", "base32"]
const missing = TOOLS.filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0)

/** The shell blocks of the section, one after the other as a reader would paste them. */
function walk(): string[] {
  const page = pages().find(({ path }) => path === "docs/wire.md")
  const [, section = ""] = page?.text.split(`\n${HEADING}\n`) ?? []
  const [own = ""] = section.split(/^## /m)
  return blocks({ path: "docs/wire.md", text: own }, "sh").map(({ code }) => code)
}

let backend: RunningBackend | undefined
beforeAll(async () => {
  if (missing.length === 0) backend = await startBackend({ hosted: { poll: true } })
})
afterAll(() => backend?.close())

it.skipIf(missing.length > 0)(
  `the login by poll of docs/wire.md works line by line (needs ${TOOLS.join(", ")})`,
  async () => {
    const lines = walk()
    expect(lines.length).toBeGreaterThan(5)
    // `set -e`: each line has to succeed; `-u`: none may use what no line before has set.
    const script = lines.map((code, number) => `${code}\nprintf '\\ndone ${number}\\n'\n`).join("")
    const child = spawn("sh", ["-euc", script], {
      env: { ...process.env, AUTH: backend?.url },
      stdio: ["ignore", "pipe", "inherit"],
    })

    let output = ""
    let visit: Promise<string> | undefined
    child.stdout.on("data", (chunk) => {
      output += chunk
      const [, url, code] = /^Open (\S+) and go on if it shows (\S+)\n/m.exec(output) ?? []
      if (!url || !code || visit) return
      visit = visited(url, code)
      // Who never logs in would be waited for until the login is over.
      visit.catch(() => child.kill())
    })
    const status = await new Promise((resolve) => child.on("close", resolve))
    expect(await visit).toContain("You can close this page")
    expect([status, output.match(/^done \d+$/gm)?.length]).toEqual([0, lines.length])

    expect(output).toMatch(/"idp_sub":"ada\.lovelace"/)
    const kinds = backend?.events.map(({ type }) => type)
    expect(kinds).toContain("session.refreshed")
    expect(kinds?.at(-1)).toBe("session.revoked")
    expect(backend?.events.filter(({ type }) => type.includes("reuse"))).toEqual([])
  },
)

/** The user opens the page on any device, compares the code, and logs in. */
async function visited(url: string, code: string): Promise<string> {
  const first = await fetch(url)
  expect(await first.text()).toContain(code)
  return (await createHeadlessBrowser({ user: "Ada Lovelace" }).visit(url)).body
}
