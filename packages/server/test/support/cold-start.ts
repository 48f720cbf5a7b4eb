// Run by itself: what is loaded by the import of the package and by making a server, before any request.
import { createRequire } from "node:module"

const before = globalThis.fetch
const loaded: string[] = []
const { createPkceServer } = await import("../../src/index.js")
createPkceServer({
  issuer: "https://tenant.example/",
  clientId: "client",
  redirectUris: ["com.example.app://callback"],
  secrets: [Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7)).toString("base64url")],
  onWarning: () => undefined,
})
for (const file of Object.keys(createRequire(import.meta.url).cache))
  loaded.push(/node_modules\/([^/]+)\//.exec(file)?.[1] ?? "")

process.stdout.write(
  JSON.stringify({
    undici: loaded.includes("undici") || Symbol.for("undici.globalDispatcher.1") in globalThis,
    fetchUnchanged: globalThis.fetch === before,
  }),
)
