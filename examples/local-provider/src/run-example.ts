import { spawn } from "node:child_process"
import { once } from "node:events"

export interface RunningExample {
  /** What the example printed of where it listens. */
  url: string
  stop(): Promise<void>
}

/**
 * Runs an example as its reader would, in a process of its own, and waits until it says where it listens.
 *
 * @example
 * ```ts
 * const example = await runExample("examples/express", ["--import", "tsx", "src/server.ts"], { PORT: "0" })
 * ```
 */
export async function runExample(
  directory: string,
  args: string[],
  environment: Record<string, string>,
): Promise<RunningExample> {
  const child = spawn(process.execPath, args, {
    cwd: directory,
    env: { ...process.env, NODE_ENV: "development", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  })
  const exited = once(child, "exit")
  let output = ""
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
      if (found) resolve(found)
    }
    child.stdout.on("data", read)
    child.stderr.on("data", read)
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`the example ended with ${code}:\n${output}`)))
  })
  return {
    url,
    async stop() {
      // The group: `next` has workers of its own.
      if (child.pid && child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid, "SIGTERM")
        await exited
      }
    },
  }
}
