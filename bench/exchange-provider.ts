import { startFakeProvider } from "../packages/server/src/testing/provider.js"

// The provider in a process of its own, so that its work is not counted. It is told how many logins to finish, and answers
// with what an app would have after them; first it says how it is reached.

const idp = await startFakeProvider()
process.on("message", (count: number) => {
  idp.requests.length = 0
  process.send?.(Array.from({ length: count }, () => idp.finishLogin()))
})
process.once("disconnect", () => process.exit())
process.send?.(idp.options())
