import { spawnSync } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { newQuickJSWASMModule } from "quickjs-emscripten"
import ts from "typescript"
import { expect, it } from "vitest"
import { sha256 } from "../../src/platforms/sha256.js"

const bundled = async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./program.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2020",
    logLevel: "silent",
  })
  return outputFiles[0]?.text ?? ""
}

/** What `run` of program.ts resolves with, wherever it ran. */
function expectDone(done: string): void {
  expect(done).not.toMatch(/^failed|^undefined/)
  const result = JSON.parse(done)
  expect(result).toMatchObject({
    login: "signed_in",
    token: "st.1",
    session: { id: "A".repeat(22), user: { sub: "u1", name: "Ad\u00e4 \u{1F600}" } },
    sent: ["POST https://api.example.com/auth/exchange", "POST https://api.example.com/auth/refresh"],
  })
  const { verifier, challenge } = result.pair
  expect(challenge).toBe(createHash("sha256").update(verifier).digest("base64url"))
}

it("P19: logs in, refreshes and restores in an engine that has nothing but the language (QuickJS)", async () => {
  const quickjs = await newQuickJSWASMModule()
  const vm = quickjs.newContext()
  const random = vm.newFunction("random", (length) => {
    const bytes = JSON.stringify([...randomBytes(vm.getNumber(length))])
    return vm.unwrapResult(vm.evalCode(bytes))
  })
  const host = vm.newObject()
  vm.setProp(host, "random", random)
  vm.setProp(vm.global, "host", host)
  vm.unwrapResult(vm.evalCode(await bundled())).dispose()
  for (const name of [
    "URL",
    "TextEncoder",
    "Buffer",
    "atob",
    "fetch",
    "AbortController",
    "console",
    "setTimeout",
    "crypto",
  ])
    expect([name, vm.dump(vm.getProp(vm.global, name))]).toEqual([name, undefined])

  vm.unwrapResult(
    vm.evalCode(
      "run().then((r) => { globalThis.done = JSON.stringify(r) }, (e) => { globalThis.done = 'failed ' + e + e.stack })",
    ),
  ).dispose()
  vm.runtime.executePendingJobs()
  const done = String(vm.dump(vm.getProp(vm.global, "done")))
  expectDone(done)
})

const hermes = join(
  dirname(createRequire(import.meta.url).resolve("hermes-engine-cli/package.json")),
  { linux: "linux64-bin/hermes", darwin: "osx-bin/hermes" }[process.platform as string] ??
    "win64-bin/hermes.exe",
)
const hermesRuns = spawnSync(hermes, ["--version"]).status === 0

it.skipIf(!hermesRuns)(
  `P19: the same in the engine of React Native (Hermes)${hermesRuns ? "" : ": NOT RUN: its binary does not start here"}`,
  async () => {
    // Without classes, generators and async functions, as React Native's own build hands it the code.
    const { outputText } = ts.transpileModule(await bundled(), {
      compilerOptions: { target: ts.ScriptTarget.ES5, downlevelIteration: true, module: ts.ModuleKind.None },
    })
    const bytes = JSON.stringify([...randomBytes(4096)])
    const program = `
      var bytes = ${bytes};
      var host = { random: function (length) { return bytes.splice(0, length) } };
      ${outputText}
      run().then(function (r) { print(JSON.stringify(r)) }, function (e) { print("failed " + e + e.stack) })`
    const folder = mkdtempSync(join(tmpdir(), "pkce-hermes-"))
    writeFileSync(join(folder, "program.js"), program)
    const { stdout, stderr } = spawnSync(
      hermes,
      ["-Xes6-promise", "-Xmicrotask-queue", join(folder, "program.js")],
      { encoding: "utf8" },
    )
    rmSync(folder, { recursive: true })
    expect(stderr).toBe("")
    expectDone(stdout.trim())
  },
)

it("our SHA-256 agrees with Node's for every length up to 300 bytes, and with FIPS 180-4", () => {
  for (let length = 0; length <= 300; length++) {
    const data = randomBytes(length)
    expect(Buffer.from(sha256(data)).toString("hex")).toBe(createHash("sha256").update(data).digest("hex"))
  }
  const vectors = [
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ] as const
  for (const [text, digest] of vectors)
    expect(Buffer.from(sha256(Buffer.from(text))).toString("hex")).toBe(digest)
})
