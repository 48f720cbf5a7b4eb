import { randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { createPkceClient } from "@pkce/client"
import { cli } from "@pkce/client/cli"
import { sqliteStore } from "@pkce/server/sqlite"
import { type Step, watchApp } from "@pkce-examples/flow"
import { createClock, logInHeadless, startLocalProvider } from "@pkce-examples/local-provider"
import { startWebApp } from "@pkce-examples/web-app"
import Database from "libsql"
import { createPrinter } from "./print.js"
import { createSealedCheck } from "./sealed.js"

const once = process.argv.includes("--once")
const out = createPrinter(process.stdout)

// Each run has a folder of its own, so that two demos may run at once.
const home = process.env.DEMO_DIRECTORY ?? fileURLToPath(new URL("../.demo", import.meta.url))
mkdirSync(home, { recursive: true })
const folder = mkdtempSync(join(home, "run-"))
const file = `${folder}/auth.db`
const database = new Database(file)

let failed = 0
function print(step: Step) {
  failed += step.checks.filter((check) => !check.ok).length
  out.step(step)
}

const provider = await startLocalProvider({
  clientName: "the demo",
  onEvent: (event) => web.onProviderEvent(event),
})
let listener: (step: Step) => void = print
const web = await startWebApp({
  ...provider,
  secret: randomBytes(32).toString("base64"),
  store: sqliteStore(database),
  isSealed: createSealedCheck(file),
  onStep: (step) => listener(step),
  // It would say that plain http to this machine is accepted: here that is the point.
  onWarning: () => {},
})

async function end(code: number) {
  await web.close()
  await provider.close()
  database.close()
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end(0))

const clock = createClock()
const platform = cli({
  directory: `${folder}/app`,
  openBrowser: async (url) => {
    await logInHeadless(url, { user: "Ada Lovelace" })
  },
})
const app = createPkceClient({
  server: `${web.url}/auth`,
  redirectUri: "http://127.0.0.1/callback",
  device: { name: "Command line", platform: process.platform },
  platform: watchApp({ ...platform, clock }, (step) => print({ ...step, at: Date.now() })),
})

out.line()
out.line(`${out.bold("One login on this machine.")} ${out.dim("Secrets are cut to three characters.")}`)
out.line()
out.heading()
try {
  await app.login()
  await app.fetch("/api/me")
  clock.advance(600)
  out.line()
  out.line(
    out.dim("Ten minutes later, by the app's clock, the session token has ended. The app calls again."),
  )
  await app.fetch("/api/me")
  await app.logout()
} catch (error) {
  out.line(`\nThe login failed: ${(error as { code?: string }).code ?? error}`)
  await end(1)
}
out.line()
if (failed > 0) {
  out.line(`${failed} of the comparisons above did not hold.`)
  await end(1)
}
out.line(`${out.bold("The session was opened, refreshed and ended.")} ${out.dim("Every comparison held.")}`)
if (once) await end(0)

listener = () => {}
out.line()
out.line(`Now watch one in the browser: ${out.bold(web.url)}`)
out.line(out.dim("Any user name will do. Ctrl-C ends it."))
