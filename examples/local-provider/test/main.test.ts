import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { runExample } from "../src/run-example.js"

it("runs on its own, and says where", async () => {
  const directory = fileURLToPath(new URL("..", import.meta.url))
  const provider = await runExample(directory, ["--import", "tsx", "src/main.ts"], {})
  try {
    const answer = await fetch(`${provider.url}/.well-known/openid-configuration`)
    expect(await answer.json()).toMatchObject({ issuer: provider.url })
  } finally {
    await provider.stop()
  }
})
