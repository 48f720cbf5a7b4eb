// Run in a process of its own by global-fetch.test.ts: what does using the client do to the process's own fetch?
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createHttpClient } from "../../src/runtime/http.node.js"

const DISPATCHER = Symbol.for("undici.globalDispatcher.1")
const globals = () => Object.getOwnPropertySymbols(globalThis).map(String)
const dispatcher = () => (globalThis as { [DISPATCHER]?: unknown })[DISPATCHER]

const server = createServer((request, response) =>
  response.end(request.headers["x-by"] ? "by us" : "by fetch"),
)
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
const readByFetch = async () => (await fetch(url)).text()

if (process.argv[2] === "called before") await readByFetch()
const before = { fetch: globalThis.fetch, dispatcher: dispatcher() }
const client = createHttpClient({ allowPrivateAddresses: false, allowLoopback: true })
const untouchedByImport = dispatcher() === before.dispatcher

// Another program's bare symbols: those that Node's fetch itself makes when it is first used.
const request = { method: "GET", url, headers: { "x-by": "us" }, deadline: 5_000, maxBytes: 100 } as const
const answer = await client.send(request)
const after = globals()
const undici = await import("undici")
const seen = dispatcher()
const fetched = await readByFetch()

console.log(
  JSON.stringify({
    untouchedByImport,
    called: "failure" in answer ? answer.failure : answer.status,
    dispatcherIsNodes: !(seen instanceof undici.Agent) && (before.dispatcher ?? seen) === dispatcher(),
    globalsAdded: after.filter((name) => name.includes("undici") && name !== String(DISPATCHER)),
    fetchUnchanged: globalThis.fetch === before.fetch,
    fetched,
  }),
)
await client.close()
server.close()
