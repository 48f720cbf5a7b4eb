import { argv } from "node:process"
import { createPkceServer } from "@pkce/server"

// What becomes of a provider at an address inside. Arguments: the issuer, and whether private addresses are "allowed".

const [, , issuer = "", leave = ""] = argv
const auth = createPkceServer({
  issuer,
  clientId: "a-client",
  clientSecret: "a secret of the client",
  redirectUris: ["com.example.app://callback"],
  secrets: ["a secret of the runtimes' tests, 0123456789"],
  allowPrivateIdp: leave === "allowed",
  allowLoopbackHttp: leave === "allowed",
  onWarning: () => undefined,
})
const told = await auth.config().then(
  () => "reached",
  (error: { code?: string; reason?: string }) => `${error.code} ${error.reason}`,
)
await auth.close()
console.log(told)
