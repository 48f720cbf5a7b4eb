import { readFileSync, statSync } from "node:fs"
import type { Environment } from "../config/environment.js"
import type { Report } from "../config/faults.js"
import { codeOf } from "./log.js"

const FILES = {
  PKCE_SECRET_FILE: "PKCE_SECRET",
  PKCE_CLIENT_SECRET_FILE: "PKCE_CLIENT_SECRET",
  PKCE_STORE_FILE: "PKCE_STORE",
} as const

/** Bytes. What is longer is not a secret but the wrong file. */
const LONGEST = 64 * 1024

/** The environment with the values of the files that it names: how Docker and Kubernetes hand secrets over. */
export function withFiles(environment: Environment, report: Report): Environment {
  const read: Record<string, string | undefined> = { ...environment }
  for (const [name, stands] of Object.entries(FILES)) {
    const path = environment[name]
    if (!path) continue
    if (environment[stands]) report.fault(name, `stands beside ${stands}`, "Keep one of the two.")
    try {
      if (statSync(path).size > LONGEST) {
        report.fault(name, "names a file that is too long to be a secret", "Name the right file.")
        continue
      }
      const text = readFileSync(path, "utf8").replace(/\r?\n$/, "")
      if (text === "") report.fault(name, "names an empty file", "Write the secret into it.")
      read[stands] = text
    } catch (error) {
      report.fault(name, `cannot be read (${codeOf(error)})`, "Is the file there, and may this user read it?")
    }
  }
  return read
}
