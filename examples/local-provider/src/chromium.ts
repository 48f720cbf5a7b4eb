import { mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright } from "playwright-core"

// Inside the checkout: in a temporary folder, which the users of a machine share, anybody could put a program of this name.
const FOLDER = fileURLToPath(new URL("../../../node_modules/.cache/chromium", import.meta.url))

/** Where the program is, unpacked at the first call. */
export async function chromiumPath(): Promise<string> {
  const { TMPDIR } = process.env
  mkdirSync(FOLDER, { recursive: true })
  try {
    process.env.TMPDIR = FOLDER // the package asks os.tmpdir() where to unpack
    return await chromium.executablePath()
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
}

/** A real Chromium, out of an npm package: nothing has to be installed on the machine. */
export async function launchChromium(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromiumPath(),
    // The package is made for cloud functions; a page that opens a popup needs more than one process.
    args: chromium.args.filter((flag) => flag !== "--single-process" && flag !== "--no-zygote"),
    headless: true,
  })
}
