import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** Python 3.9 or newer: `PYTHON`, or what is first in the path; none where there is no such thing. */
export const python: string | undefined = [process.env.PYTHON, "python3", "/usr/bin/python3"].find(
  (program) =>
    program && spawnSync(program, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0,
)

export interface App {
  /** Calls a method of the Python client and gives its result. A PkceError is an Error with `code`, `retryable`, `ignorable`. */
  call<T = unknown>(method: string, ...args: unknown[]): Promise<T>
  /** What `on_signed_out` was told. */
  signedOut: string[]
  /** SIGKILL: nothing of the program runs any more. */
  kill(): Promise<void>
}

/** Starts the Python client in a process of its own. `openBrowser` gets the URLs that it wants opened. */
export function startApp(
  server: string,
  file: string,
  openBrowser: (url: string) => Promise<unknown> = async () => {},
): App {
  const program = fileURLToPath(new URL("driver.py", import.meta.url))
  const child = spawn(python ?? "python3", [program, server, file], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
  })
  const exited = once(child, "exit")
  const waiting: { resolve(value: unknown): void; reject(error: unknown): void }[] = []
  const signedOut: string[] = []

  createInterface({ input: child.stdout }).on("line", (text) => {
    const line = JSON.parse(text)
    if (line.signed_out) signedOut.push(line.signed_out)
    else if (line.open) openBrowser(line.open).catch((error) => waiting.shift()?.reject(error))
    else if (line.error) {
      const { error: code, retryable, ignorable } = line
      waiting.shift()?.reject(Object.assign(new Error(code), { code, retryable, ignorable }))
    } else waiting.shift()?.resolve(line.result)
  })
  child.once("exit", () => {
    for (const { reject } of waiting.splice(0)) reject(new Error("the program ended"))
  })

  return {
    signedOut,
    call: <T>(method: string, ...args: unknown[]) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ resolve: resolve as (value: unknown) => void, reject })
        child.stdin.write(`${JSON.stringify({ do: method, args })}\n`)
      }),
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      await exited
    },
  }
}
