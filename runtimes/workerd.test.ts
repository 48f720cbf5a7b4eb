import { type ChildProcess, spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type FakeProvider, startFakeProvider } from "@pkce/server/testing"
import { afterAll, beforeAll, expect, it } from "vitest"
import { story } from "./app.js"
import { expectStory } from "./expected.js"
import { createProject, type Project } from "./project.js"
import { workerd } from "./runtimes.js"

let project: Project
let provider: FakeProvider
let child: ChildProcess | undefined

beforeAll(async () => {
  project = createProject()
  provider = await startFakeProvider()
})
afterAll(async () => {
  child?.kill("SIGKILL")
  await provider?.close()
  project?.remove()
})

/** Cap'n Proto's text form, in which workerd takes its configuration. It may call the provider on this machine. */
const configuration = (script: string, options: object) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker", esModule = embed "${script}")],
      compatibilityDate = "2026-04-01",
      bindings = [(name = "OPTIONS", text = ${JSON.stringify(JSON.stringify(options))})],
      globalOutbound = "here",
    )),
    (name = "here", network = (allow = ["private", "local", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);`

/** Starts it on a port that it chooses itself, and tells. */
async function started(file: string): Promise<string> {
  child = spawn(workerd.command, ["serve", file, "--control-fd=3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  })
  let told = ""
  return new Promise((resolve, reject) => {
    child?.once("error", reject)
    child?.once("exit", (code) => reject(new Error(`workerd ended with ${code}`)))
    child?.stdio[3]?.on("data", (data) => {
      told += data
      const port = /"listen".*"port":(\d+)/.exec(told)?.[1]
      if (port) resolve(`http://127.0.0.1:${port}`)
    })
  })
}

it.skipIf(!workerd.isThere)(
  `a login over HTTP whose backend is a worker (workerd)${workerd.notRun}`,
  async () => {
    const script = basename(await project.bundle("worker", ["workerd", "worker", "browser"]))
    const file = join(project.folder, "worker.capnp")
    writeFileSync(file, configuration(script, provider.options()))
    const origin = await started(file)
    expectStory(JSON.stringify(await story(origin, project.fresh())))
    expect(provider.calls.token).toBe(1)
  },
)
