import { randomBytes } from "node:crypto"
import { parseArgs } from "node:util"
import { ConfigurationError } from "../config/faults.js"
import { configure } from "./configure.js"
import { createLog } from "./log.js"
import { describeConfig } from "./report.js"
import { serve } from "./serve.js"

const USAGE = `pkce-server <command>: the login's backend as a server of its own

  serve    starts it
  check    reads the configuration and says what it is, or every fault with its mend
  secret   prints a fresh secret for the environment

  --help, --version

It is configured by the environment: at least PKCE_ISSUER, PKCE_CLIENT_ID, PKCE_CLIENT_SECRET, PKCE_REDIRECT_URIS,
PKCE_SECRET, PKCE_STORE, and PKCE_URL, the public URL that it is reached at.
`

const COMMANDS: Readonly<Record<string, () => void | Promise<void>>> = {
  serve: () => serve(process.env),
  check,
  secret: () => print(`PKCE_SECRET=${randomBytes(32).toString("base64url")}\n`),
}

/** Runs one command. The exit code is 0, 1 for a fault of the configuration, or 2 for a command that does not exist. */
export async function runCommand(args: string[], version: string): Promise<void> {
  const { help, versionAsked, command } = read(args)
  if (help) return print(USAGE)
  if (versionAsked) return print(`${version}\n`)
  if (command === undefined) {
    // What was typed is not repeated: it may be a secret that belongs into the environment.
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  try {
    await command()
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown
    process.stderr.write(`${thrown.message}\n`)
    process.exitCode = 1
  }
}

function read(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } },
    })
    const [name = "", ...rest] = positionals
    const command = rest.length === 0 && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    return { help: values.help, versionAsked: values.version, command }
  } catch {
    return {}
  }
}

async function check(): Promise<void> {
  const warnings: string[] = []
  const log = { ...createLog(false), warn: (text: string) => void warnings.push(text) }
  try {
    const { settings, config } = await configure(process.env, log)
    print(describeConfig(settings, config))
  } finally {
    // Beside faults too: a variable that nobody reads is often why another one is missing.
    for (const warning of warnings) print(`warn  ${warning}\n`)
  }
}

function print(text: string): void {
  process.stdout.write(text)
}
