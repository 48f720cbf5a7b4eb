import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { bundleWorker } from "../support/bundle-worker.js"
import type { Task } from "./worker.js"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

interface Worker {
  child: ChildProcess
  /** 0 until it listens. */
  port: number
}

export interface Fleet {
  /** The ports that listen now. */
  ports(): number[]
  /** Kills a process that serves, and starts another. False where fewer than two serve. */
  killOne(): boolean
  /** What the processes said of their refreshes. */
  said: { step: number; repeat: number; forward: number; alarm: number; [word: string]: number }
  close(): Promise<void>
}

/** Starts `size` processes with the same task. They are bundled first, so that a new one serves after a blink. */
export async function startFleet(size: number, task: Task): Promise<Fleet> {
  const folder = mkdtempSync(here("../../../../node_modules/.chaos-"))
  const script = join(folder, "worker.cjs")
  await bundleWorker(here("./worker.ts"), script)
  const workers = new Set<Worker>()
  const said: Fleet["said"] = { step: 0, repeat: 0, forward: 0, alarm: 0 }
  let over = false

  function start(): void {
    const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"], env: {} })
    const worker: Worker = { child, port: 0 }
    workers.add(worker)
    child.once("close", () => {
      workers.delete(worker)
      if (!over) start()
    })
    // A process that was killed before it read its task breaks the pipe.
    child.stdin?.on("error", () => undefined)
    child.stdin?.write(`${JSON.stringify(task)}\n`)
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [word = "", port] = line.split(" ")
      if (port) worker.port = Number(port)
      else said[word] = (said[word] ?? 0) + 1
    })
  }
  for (let i = 0; i < size; i++) start()

  const serving = () => [...workers].filter(({ port, child }) => port > 0 && !child.killed)
  return {
    said,
    ports: () => serving().map(({ port }) => port),
    killOne() {
      // The oldest, and never the last: on a slow machine a process would otherwise die before it has served.
      const [oldest, ...others] = serving()
      return others.length > 0 && oldest?.child.kill("SIGKILL") === true
    },
    async close() {
      over = true
      const ended = [...workers].map(({ child }) => once(child, "close"))
      for (const { child } of workers) child.kill("SIGKILL")
      await Promise.all(ended)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
