import { spawn } from "node:child_process"
import { lookup } from "node:dns/promises"
import { type AddressInfo, createServer } from "node:net"
import { hostname } from "node:os"
import { join } from "node:path"
import { type FakeProvider, startFakeProvider } from "@pkce/server/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { expectFlow } from "../packages/client/test/engines/expected.js"
import { expectStory } from "./expected.js"
import { createProject, type Project } from "./project.js"
import { bun, deno, node22, node24, type Runtime } from "./runtimes.js"

let project: Project
let provider: FakeProvider

beforeAll(async () => {
  project = createProject()
  provider = await startFakeProvider()
})
afterAll(async () => {
  await provider?.close()
  project?.remove()
})

/** A name of this machine behind which no public address stands, with the address; else D3 cannot be tried. */
async function privateName(): Promise<{ name: string; address: string } | null> {
  const name = hostname().toLowerCase()
  const address = await lookup(name).then(
    (found) => found.address,
    () => "",
  )
  const isPrivate = /^(127|10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(address)
  return isPrivate && name !== "localhost" && !name.includes(":") ? { name, address } : null
}
const inside = await privateName()

/** The last line that a program writes in a runtime; throws with everything if it fails. */
function output({ command, args }: Runtime, program: string, ...given: string[]): Promise<string> {
  const { folder } = project
  const env = { HOME: folder, DENO_DIR: join(folder, "deno"), DENO_NO_UPDATE_CHECK: "1" }
  const child = spawn(command, [...args, program, ...given], { cwd: folder, env, timeout: 50_000 })
  let [out, all] = ["", ""]
  child.stdout.on("data", (data) => {
    out += data
    all += data
  })
  child.stderr.on("data", (data) => {
    all += data
  })
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code, signal) => {
      if (code === 0) resolve(out.trim().split("\n").at(-1) ?? "")
      else reject(new Error(`ended with ${code ?? signal}\n${all}`))
    })
  })
}

const all = [node22, node24, bun, deno]
describe.each(all.map((runtime) => [runtime.name + runtime.notRun, runtime] as const))("%s", (_, runtime) => {
  it.skipIf(!runtime.isThere)("P19: the flow that every engine runs, by each way to SHA-256", async () => {
    const text = await output(runtime, await project.program("flow"))
    expectFlow(text, ["our own SHA-256", "the platform's", "WebCrypto"])
  })

  it.skipIf(!runtime.isThere)("a login over HTTP, with both halves in it", async () => {
    const before = { ...provider.calls }
    const options = JSON.stringify(provider.options())
    expectStory(await output(runtime, await project.program("login"), project.fresh(), options))
    // One code, redeemed once, whatever was lost.
    expect(provider.calls.token - before.token).toBe(1)
  })

  // Bun connects by its `fetch`, which shows no addresses.
  if (runtime === bun) return
  const why = inside ? "" : ": NOT RUN: this machine's name does not lead to a private address"
  it.skipIf(!runtime.isThere || !inside)(
    `D3: no connection to a provider whose name leads into the private network${why}`,
    async () => {
      let connections = 0
      const server = createServer((socket) => {
        connections++
        socket.destroy()
      })
      await new Promise<void>((resolve) => server.listen(0, inside?.address, resolve))
      const { port } = server.address() as AddressInfo
      const program = await project.program("guard")
      const issuer = `https://${inside?.name}:${port}/`
      expect(await output(runtime, program, issuer, "refused")).toBe("idp_misconfigured blocked_address")
      expect(connections).toBe(0)
      // With leave, the same name is connected to.
      expect(await output(runtime, program, issuer, "allowed")).toMatch(/^idp_unavailable /)
      expect(connections).toBeGreaterThan(0)
      server.close()
    },
  )
})
