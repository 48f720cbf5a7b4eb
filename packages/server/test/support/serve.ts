import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What the build made: the command as its users get it. */
const BUILT = here("../../dist/serve.js")

export type Variables = Readonly<Record<string, string>>

export interface Place {
  /** The command's file, and the folder that it is started in. */
  bin: string
  cwd: string
}

const usual: Place = { bin: BUILT, cwd: tmpdir() }

/** Nothing of the machine's own PKCE_* comes in. */
const environmentOf = (variables: Variables) => ({ PATH: process.env.PATH, ...variables })

/** Runs one command to its end. */
export function runServe(args: string[], variables: Variables = {}, { bin, cwd }: Place = usual) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd,
    env: environmentOf(variables),
    encoding: "utf8",
  })
  return { status, stdout, stderr, output: stdout + stderr }
}

export interface LogLine {
  type: string
  [name: string]: unknown
}

export interface RunningServe {
  origin: string
  port: number
  child: ChildProcess
  lines: LogLine[]
  /** Everything that it has written. */
  output(): string
  /** Waits for a line of that type; one that has come already counts. */
  said(type: string): Promise<LogLine>
  post(path: string, body: unknown, headers?: Variables): Promise<Response>
  /** Sends the signal and waits for the end: the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  ended: Promise<number | null>
}

/** Starts `pkce-server serve` on a free port and waits until it listens. */
export async function startServe(
  variables: Variables,
  { bin, cwd }: Place = usual,
  nodeArgs: string[] = [],
): Promise<RunningServe> {
  const child = spawn(process.execPath, [...nodeArgs, bin, "serve"], {
    cwd,
    env: environmentOf({ PKCE_PORT: "0", ...variables }),
    stdio: ["ignore", "pipe", "pipe"],
  })
  const lines: LogLine[] = []
  let output = ""
  let heard = () => {}
  const waiting = new Set<() => void>()
  heard = () => {
    for (const wake of waiting) wake()
  }
  child.stderr.on("data", (chunk) => {
    output += chunk
  })
  createInterface({ input: child.stdout }).on("line", (line) => {
    output += `${line}\n`
    lines.push(JSON.parse(line) as LogLine)
    heard()
  })
  const ended = once(child, "close").then(([code]) => {
    heard()
    return code as number | null
  })

  async function said(type: string): Promise<LogLine> {
    for (;;) {
      const found = lines.find((line) => line.type === type)
      if (found) return found
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`ended with ${child.exitCode} before ${type}:\n${output}`)
      await new Promise<void>((resolve) => waiting.add(resolve))
    }
  }

  const { port } = (await said("serve.listening")) as LogLine & { port: number }
  const origin = `http://127.0.0.1:${port}`
  return {
    ...{ origin, port, child, lines, said, ended },
    output: () => output,
    post: (path, body, headers = {}) =>
      fetch(origin + path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    stop(signal = "SIGTERM") {
      child.kill(signal)
      return ended
    },
  }
}

/** The package as it lies in a project of its own, with what it depends on and these drivers. */
export function installedBeside(drivers: string[]): Place & { remove(): void } {
  const cwd = mkdtempSync(join(tmpdir(), "pkce-installed-"))
  const home = join(cwd, "node_modules/@pkce/server")
  mkdirSync(home, { recursive: true })
  cpSync(dirname(BUILT), join(home, "dist"), { recursive: true })
  cpSync(here("../../package.json"), join(home, "package.json"))
  for (const name of ["jose", "undici", "zod", ...drivers]) linkInto(cwd, name)
  return {
    bin: join(home, "dist/serve.js"),
    cwd,
    remove: () => rmSync(cwd, { recursive: true, force: true }),
  }
}

/** Makes a package of the repository visible in a project. */
export function linkInto(project: string, name: string): void {
  const target = join(project, "node_modules", name)
  mkdirSync(dirname(target), { recursive: true })
  symlinkSync(here(`../../../../node_modules/${name}`), target, "junction")
}
