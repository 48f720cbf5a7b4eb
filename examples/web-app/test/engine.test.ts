import { launchChromium } from "@pkce-examples/local-provider/chromium"
import { expect, it } from "vitest"
import { bundledFlow } from "../../../packages/client/test/engines/bundle.js"
import { expectFlow } from "../../../packages/client/test/engines/expected.js"

it("P19: the flow that every engine runs, in a page of Chromium", async () => {
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    // WebCrypto's digests are for secure contexts only.
    await page.route("https://app.example/", (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html>" }),
    )
    await page.goto("https://app.example/")
    const text: string = await page.evaluate(`(async () => {
      ${await bundledFlow()}
      const random = (length) => crypto.getRandomValues(new Uint8Array(length))
      return JSON.stringify(await run({ random }))
    })()`)
    const { has } = expectFlow(text, ["our own SHA-256", "WebCrypto"])
    expect(has).toContain("crypto")
  } finally {
    await browser.close()
  }
})
