import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** A program of the packages of this folder. `notRun` belongs in the name of a test that needs it, and says why. */
export interface Runtime {
  name: string
  command: string
  args: string[]
  isThere: boolean
  notRun: string
}

const { platform, arch } = process
const system = `${platform}-${arch}`

function runtime(name: string, path: string, args: string[] = []): Runtime {
  const command = fileURLToPath(new URL(`./node_modules/${path}`, import.meta.url))
  const isThere = existsSync(command)
  return { name, command, args, isThere, notRun: isThere ? "" : ": NOT RUN: it is not installed here" }
}

const denoSystem = platform === "linux" ? `${system}-glibc` : system
const hermesFolder = { linux: "linux64-bin/hermesc", darwin: "osx-bin/hermesc" }[platform as string]

export const node22 = runtime("Node 22", "node22/bin/node")
export const node24 = runtime("Node 24", "node24/bin/node")
export const bun = runtime("Bun", `@oven/bun-${system.replace("arm64", "aarch64")}/bin/bun`)
export const deno = runtime("Deno", `@deno/${denoSystem}/deno`, ["run", "--allow-all", "--no-prompt"])
export const workerd = runtime("workerd", `@cloudflare/workerd-${system.replace("x64", "64")}/bin/workerd`)
export const hermesc = runtime(
  "hermesc",
  `hermes-compiler/hermesc/${hermesFolder ?? "win64-bin/hermesc.exe"}`,
)
