import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright } from "playwright-core"

/** A real Chromium, out of an npm package: nothing has to be installed on the machine. */
export async function launchChromium(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    // The package is made for cloud functions; a page that opens a popup needs more than one process.
    args: chromium.args.filter((flag) => flag !== "--single-process" && flag !== "--no-zygote"),
    headless: true,
  })
}
