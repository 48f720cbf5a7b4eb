import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { createPkceServer, type PkceServerOptions } from "@pkce/server"
import { expressAuth, requireSession } from "@pkce/server/express"
import type { Step } from "@pkce-examples/flow"
import { watchBackend } from "@pkce-examples/flow/backend"
import { build } from "esbuild"
import express from "express"
import { createJournal } from "./journal.js"

export interface WebAppOptions {
  issuer: string
  clientId: string
  clientSecret: string
  secret: string | undefined
  store: NonNullable<PkceServerOptions["store"]>
  port?: number
  /** Whether none of these strings can be read in the database; see step 7 of the drawing. */
  isSealed?: (secrets: string[]) => boolean
  /** Sees the steps that the page is told. */
  onStep?: (step: Step) => void
  onWarning?: (warning: string) => void
}

/** The app's page and the app's own backend, on one origin. */
export async function startWebApp({ port = 0, ...options }: WebAppOptions) {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const journal = createJournal(options.onStep)
  const watch = watchBackend(options, journal.tell, options.isSealed)
  const auth = createPkceServer({
    issuer: options.issuer,
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    redirectUris: ["http://127.0.0.1/callback"],
    postLogoutRedirectUris: [`${url}/`],
    secrets: [options.secret],
    store: options.store,
    session: { claims: ["name"] },
    allowLoopbackHttp: true,
    onEvent: watch.onEvent,
    ...(options.onWarning && { onWarning: options.onWarning }),
  })

  const app = express().disable("x-powered-by")
  app.use("/auth", expressAuth(auth))
  app.get("/api/me", requireSession(auth), (req, res) => {
    res.json({ message: `Hello ${req.auth.user.name}, this is your own backend.`, user: req.auth.user })
  })
  app.get("/flow", journal.stream)
  app.use(await page())
  server.on("request", app)

  return {
    url,
    auth,
    onProviderEvent: watch.onProviderEvent,
    async close() {
      journal.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      await auth.close()
    },
  }
}

/** The page: one document, one script, one style sheet, nothing from elsewhere. */
async function page() {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const { outputFiles } = await build({
    entryPoints: [here("page/main.ts")],
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    write: false,
    logLevel: "error",
  })
  const script = outputFiles[0]?.text ?? ""
  const router = express.Router()
  router.use((_, res, next) => {
    res.set({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    })
    next()
  })
  router.get("/main.js", (_, res) => void res.type("text/javascript").send(script))
  router.get("/style.css", (_, res) => res.sendFile(here("page/style.css")))
  // The provider sends the browser back to /callback: the same page, which then finishes the login.
  router.get(["/", "/callback"], (_, res) => res.sendFile(here("page/index.html")))
  return router
}
