import { parseArgs } from "node:util"
import { createPkceClient } from "@pkce/client"
import { cli } from "@pkce/client/cli"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { "no-browser": { type: "boolean" } },
})

const auth = createPkceClient({
  server: process.env.SERVER ?? "http://127.0.0.1:3000/auth",
  redirectUri: "http://127.0.0.1/callback",
  platform: cli({
    name: "pkce-cli-app",
    ...(process.env.STATE_DIRECTORY && { directory: process.env.STATE_DIRECTORY }),
    ...(values["no-browser"] && { openBrowser: (url: string) => console.log(`Open ${url}`) }),
  }),
  device: { name: "Command line", platform: process.platform },
})

const commands: Record<string, () => Promise<void>> = {
  async login() {
    const result = await auth.login()
    console.log(result.status === "signed_in" ? `Hello ${result.session.user?.name}.` : "Cancelled.")
  },
  async whoami() {
    const response = await auth.fetch("/me")
    console.log(await response.text())
  },
  async devices() {
    for (const { device, current } of await auth.sessions.list()) {
      console.log(`${current ? "*" : " "} ${device.name}`)
    }
  },
  async logout() {
    await auth.logout()
    console.log("Signed out.")
  },
}

const command = commands[positionals[0] ?? "login"]
if (!command) {
  console.error(`Commands: ${Object.keys(commands).join(", ")}`)
  process.exit(2)
}
await auth.restore()
await command().catch((error: { code?: string; message: string }) => {
  console.error(`${error.code ?? "failed"}: ${error.message}`)
  process.exitCode = 1
})
