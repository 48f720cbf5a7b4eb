import { randomUUID } from "node:crypto"
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright } from "playwright-core"

// Inside the checkout: in a temporary folder, which the users of a machine share, anybody could put a program of this name.
const FOLDER = fileURLToPath(new URL("../../../node_modules/.cache/chromium", import.meta.url))

/**
 * Where the program is, unpacked at the first call: beside its place, and moved there whole, since a second process that finds
 * half of it would start that.
 */
export function chromiumPath(): Promise<string> {
  path ??= unpack()
  return path
}

let path: Promise<string> | undefined

async function unpack(): Promise<string> {
  if (!existsSync(FOLDER)) {
    const unpacked = `${FOLDER}-${process.pid}-${randomUUID()}`
    mkdirSync(unpacked, { recursive: true })
    await unpackInto(unpacked)
    try {
      renameSync(unpacked, FOLDER)
    } catch {
      // Another process was faster.
      rmSync(unpacked, { recursive: true, force: true })
    }
  }
  return unpackInto(FOLDER)
}

/** The package asks os.tmpdir() where to unpack, and unpacks nothing that is there. */
async function unpackInto(folder: string): Promise<string> {
  const { TMPDIR } = process.env
  try {
    process.env.TMPDIR = folder
    return await chromium.executablePath()
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
}

/**
 * The package is made for cloud functions, in one process and without the rules that a browser keeps: a page that opens a popup
 * needs more than one process, and without the same-origin policy neither CORS nor what a stranger may hear would be tested.
 */
const UNWANTED = new Set([
  "--single-process",
  "--no-zygote",
  "--disable-web-security",
  "--disable-site-isolation-trials",
  "--allow-running-insecure-content",
])

/** A real Chromium, out of an npm package: nothing has to be installed on the machine. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = await chromiumPath()
  const args = chromium.args.filter((flag) => !UNWANTED.has(flag))
  const launch = () => playwright.launch({ executablePath, args, headless: true })
  // Once in hundreds of starts, on a busy machine, it crashes before it has opened anything.
  return launch().catch(launch)
}
