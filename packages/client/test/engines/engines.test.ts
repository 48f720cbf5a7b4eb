import { spawnSync } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { newQuickJSWASMModule } from "quickjs-emscripten"
import ts from "typescript"
import { expect, it } from "vitest"
import { bundledFlow } from "./bundle.js"
import { expectFlow } from "./expected.js"
import { run } from "./flow.js"

const OWN = ["our own SHA-256"]

/** Runs the flow in an engine's shell, with randomness from here because it has none of its own. */
function inShell(command: string, flags: string[], script: string): string {
  const folder = mkdtempSync(join(tmpdir(), "pkce-engine-"))
  const file = join(folder, "program.js")
  const bytes = JSON.stringify([...randomBytes(16_384)])
  writeFileSync(
    file,
    `var bytes = ${bytes};
    var host = { random: function (length) { return bytes.splice(0, length) } };
    ${script}
    run(host).then(function (r) { print(JSON.stringify(r)) }, function (e) { print("failed " + e + e.stack) })`,
  )
  const { stdout, stderr } = spawnSync(command, [...flags, file], { encoding: "utf8" })
  rmSync(folder, { recursive: true })
  expect(stderr).toBe("")
  return stdout.trim()
}

it("P19: the whole flow in an engine that has nothing but the language (QuickJS)", async () => {
  const quickjs = await newQuickJSWASMModule()
  const vm = quickjs.newContext()
  const random = vm.newFunction("random", (length) => {
    const bytes = JSON.stringify([...randomBytes(vm.getNumber(length))])
    return vm.unwrapResult(vm.evalCode(bytes))
  })
  const host = vm.newObject()
  vm.setProp(host, "random", random)
  vm.setProp(vm.global, "host", host)
  vm.unwrapResult(vm.evalCode(await bundledFlow())).dispose()
  vm.unwrapResult(
    vm.evalCode(
      "run(host).then((r) => { globalThis.done = JSON.stringify(r) }, (e) => { globalThis.done = 'failed ' + e + e.stack })",
    ),
  ).dispose()
  vm.runtime.executePendingJobs()
  const { has } = expectFlow(String(vm.dump(vm.getProp(vm.global, "done"))), OWN)
  expect(has).toEqual([])
})

const hermes = join(
  dirname(createRequire(import.meta.url).resolve("hermes-engine-cli/package.json")),
  { linux: "linux64-bin/hermes", darwin: "osx-bin/hermes" }[process.platform as string] ??
    "win64-bin/hermes.exe",
)
const hermesRuns = spawnSync(hermes, ["--version"]).status === 0

it.skipIf(!hermesRuns)(
  `P19: the same in an old engine of React Native (Hermes 0.12)${hermesRuns ? "" : ": NOT RUN: its binary does not start here"}`,
  async () => {
    // Without classes, generators and async functions, as React Native's own build hands it the code.
    const { outputText } = ts.transpileModule(await bundledFlow(), {
      compilerOptions: { target: ts.ScriptTarget.ES5, downlevelIteration: true, module: ts.ModuleKind.None },
    })
    expectFlow(inShell(hermes, ["-Xes6-promise", "-Xmicrotask-queue"], outputText), OWN)
  },
)

const jscRuns = spawnSync("jsc", ["-e", "0"]).status === 0

it.skipIf(!jscRuns)(
  `P19: the same in JavaScriptCore${jscRuns ? "" : ": NOT RUN: there is no jsc (Debian: libjavascriptcoregtk-4.0-bin)"}`,
  async () => {
    const { has } = expectFlow(inShell("jsc", [], await bundledFlow()), OWN)
    expect(has).not.toContain("crypto")
  },
)

it("P19: the same in this Node, by each of the three ways to SHA-256", async () => {
  const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest()
  const flow = await run({ random: (length) => randomBytes(length), sha256 })
  expectFlow(JSON.stringify(flow), [...OWN, "the platform's", "WebCrypto"])
})
