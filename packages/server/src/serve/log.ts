import type { PkceEvent } from "../events.js"

/** Seconds for which a trouble that comes again and again is told once. */
const QUIET = 30

/** What the process says of itself, one JSON object a line on stdout. No line holds a secret or another's text. */
export interface Log {
  /** What happened, as `onEvent` receives it. */
  event(event: PkceEvent): void
  /** What becomes of the process itself. */
  say(type: string, details?: Readonly<Record<string, string | number | boolean>>): void
  /** What somebody should mend. With the log off it goes to stderr, as a line of text. */
  warn(text: string): void
  /** A connection that failed: its code, at most once in half a minute. */
  trouble(type: string, error: unknown): void
}

export function createLog(on: boolean): Log {
  const told = new Map<string, number>()
  const line = (entry: object) => void process.stdout.write(`${JSON.stringify(entry)}\n`)
  const at = () => Math.floor(Date.now() / 1000)

  const log: Log = {
    event: (event) => on && line(event),
    say: (type, details) => on && line({ at: at(), type, ...details }),
    warn(warning) {
      if (on) line({ at: at(), type: "serve.warning", warning })
      else process.stderr.write(`@pkce/server: ${warning}\n`)
    },
    trouble(type, error) {
      const code = codeOf(error)
      const key = `${type} ${code}`
      if (at() - (told.get(key) ?? Number.NEGATIVE_INFINITY) < QUIET) return
      told.set(key, at())
      if (on) line({ at: at(), type, code })
      else process.stderr.write(`@pkce/server: ${type} (${code})\n`)
    },
  }
  return log
}

/** The name of an error without its message, which may quote a value: `ECONNREFUSED`, `28P01`, `WRONGPASS`, `TypeError`. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  const { code } = error as { code?: unknown }
  if (typeof code === "string" && /^\w{1,64}$/.test(code)) return code
  // Redis begins its refusals with a word of its own.
  const [word] = /^[A-Z]{3,32}(?= )/.exec(error.message) ?? []
  return word ?? error.name
}

/** The places in the code that an error came through, without its message. */
export const placesOf = (error: unknown): string =>
  error instanceof Error
    ? (error.stack ?? "")
        .split("\n")
        .filter((line) => /^\s+at /.test(line))
        .slice(0, 8)
        .map((line) => line.trim())
        .join("; ")
    : ""
