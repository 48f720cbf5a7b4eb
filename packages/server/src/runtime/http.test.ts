import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { createServer as createNetServer } from "node:net"
import { gzipSync } from "node:zlib"
import { afterEach, describe, expect, it } from "vitest"
import type { HttpClient, OutgoingRequest } from "./http.js"
import * as node from "./http.node.js"
import * as web from "./http.web.js"

const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

const options = { allowPrivateAddresses: false, allowLoopback: true }

async function start(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server: Server = createServer(handle)
  let connections = 0
  server.on("connection", () => connections++)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections }
}

function client(runtime: typeof node | typeof web): HttpClient {
  const made = runtime.createHttpClient(options)
  open.push(() => made.close())
  return made
}

const get = (url: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest => ({
  method: "GET",
  url,
  headers: {},
  deadline: 5_000,
  maxBytes: 1_000,
  ...more,
})

const freePort = async () => {
  const { url } = await start(() => {})
  for (const close of open.splice(0)) await close()
  return url
}

describe.each([
  ["node", node],
  ["web", web],
] as const)("the %s client", (name, runtime) => {
  it("sends method, path, headers and body, and reads status, headers and body", async () => {
    const { url } = await start((request, response) => {
      request.setEncoding("utf8").once("data", (body) => {
        response
          .writeHead(400, { "x-seen": `${request.method} ${request.url} ${request.headers["x-a"]}` })
          .end(body)
      })
    })
    const answer = await client(runtime).send(
      get(`${url}/token?a=1`, { method: "POST", headers: { "x-a": "b" }, body: "code=1" }),
    )
    if ("failure" in answer) throw new Error(answer.failure)
    expect(answer.status).toBe(400)
    expect(answer.header("x-seen")).toBe("POST /token?a=1 b")
    expect(answer.header("x-other")).toBeUndefined()
    expect(new TextDecoder().decode(answer.body)).toBe("code=1")
  })

  it("D2 follows no redirect", async () => {
    let calls = 0
    const { url } = await start((_, response) => {
      calls++
      response.writeHead(307, { location: "/elsewhere" }).end()
    })
    expect(await client(runtime).send(get(url))).toMatchObject({ status: 307 })
    expect(calls).toBe(1)
  })

  it("D3 connects to no address that is not allowed, and sends nothing", async () => {
    const blocked = { failure: "blocked_address", sent: false }
    const { send } = client(runtime)
    for (const url of [
      "https://10.0.0.1/",
      "https://169.254.169.254/latest/meta-data",
      "https://[::ffff:10.0.0.1]/",
      "http://example.com/",
      "file:///etc/passwd",
      "nonsense",
    ])
      expect(await send(get(url))).toEqual(blocked)
    const strict = runtime.createHttpClient({ allowPrivateAddresses: true, allowLoopback: false })
    open.push(() => strict.close())
    const { url, connections } = await start((_, response) => response.end())
    expect(await strict.send(get(url))).toEqual(blocked)
    expect(await strict.send(get(url.replace("http://127.0.0.1", "https://localhost")))).toEqual(blocked)
    expect(connections()).toBe(0)
  })

  it("D9 stops at the limit of the body, also of a compressed one", async () => {
    const { url } = await start((request, response) => {
      if (request.url === "/zip") response.writeHead(200, { "content-encoding": "gzip" })
      response.end(request.url === "/zip" ? gzipSync("a".repeat(100_000)) : "a".repeat(1_001))
    })
    const { send } = client(runtime)
    expect(await send(get(url))).toEqual({ failure: "too_large", sent: true })
    expect(await send(get(`${url}/zip`))).toEqual({ failure: "too_large", sent: true })
    expect(await send(get(`${url}/zip`, { maxBytes: 100_000 }))).toMatchObject({ status: 200 })
  })

  it("D9 gives up at the deadline, also in the middle of a trickled body", async () => {
    const { url } = await start((request, response) => {
      if (request.url === "/open") response.end()
      if (request.url === "/trickle") response.write("a")
    })
    const { send } = client(runtime)
    await send(get(`${url}/open`))
    expect(await send(get(url, { deadline: 300 }))).toEqual({ failure: "timeout", sent: true })
    expect(await send(get(`${url}/trickle`, { deadline: 300 }))).toEqual({ failure: "timeout", sent: true })
  })

  it("says that a request was sent when the connection breaks after it", async () => {
    const { url } = await start((request, response) => {
      if (request.url === "/half") response.write("a", () => response.destroy())
      else response.destroy()
    })
    const { send } = client(runtime)
    expect(await send(get(url))).toEqual({ failure: "reset", sent: true })
    expect(await send(get(`${url}/half`))).toEqual({ failure: "reset", sent: true })
  })

  it("C15 sends no header that would be two", async () => {
    let requests = 0
    const { url } = await start((_, response) => {
      requests++
      response.end()
    })
    const answer = await client(runtime).send(get(url, { headers: { authorization: "Bearer a\r\nx-b: c" } }))
    expect(answer).toHaveProperty("failure")
    expect(requests).toBe(0)
  })

  it("never throws where nobody listens", async () => {
    const answer = await client(runtime).send(get(await freePort()))
    // `fetch` does not tell a refused connection from a lost answer, so there it counts as sent.
    expect(answer).toEqual(
      name === "node" ? { failure: "connect", sent: false } : { failure: "reset", sent: true },
    )
  })
})

describe("the node client alone", () => {
  it("knows that nothing was sent when the time is up before the connection is", async () => {
    // Accepts the connection and never speaks TLS.
    const server = createNetServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    open.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const silent = client(node)
    expect(await silent.send(get(`https://127.0.0.1:${port}`, { deadline: 50 }))).toEqual({
      failure: "timeout",
      sent: false,
    })
  })

  it("keeps one connection for calls one after another", async () => {
    const { url, connections } = await start((_, response) => response.end("{}"))
    const { send } = client(node)
    for (let i = 0; i < 5; i++) {
      await send(get(url))
      // The pool gives a server one turn of the loop to close the connection before it is used again.
      await new Promise(setImmediate)
    }
    expect(connections()).toBe(1)
  })

  it("warms a connection without a request, which the next call uses", async () => {
    let requests = 0
    const { url, connections } = await start((_, response) => {
      requests++
      response.end("{}")
    })
    const { warm, send } = client(node)
    warm(url)
    await expect.poll(connections).toBe(1)
    // The pool may learn of the connection a few turns of the loop after the server did.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    expect(requests).toBe(0)
    warm(url)
    expect(await send(get(url))).toMatchObject({ status: 200 })
    expect({ requests, connections: connections() }).toEqual({ requests: 1, connections: 1 })
  })

  it("D12 opens one connection for many warm-ups at once, and another when that one is gone", async () => {
    const sockets: Socket[] = []
    const server = createNetServer((socket) => void sockets.push(socket.on("error", () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    open.push(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { warm } = client(node)
    for (let asked = 0; asked < 100; asked++) warm(url)
    await expect.poll(() => sockets.length).toBe(1)
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    for (let asked = 0; asked < 100; asked++) warm(url)
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    expect(sockets).toHaveLength(1)
    sockets[0]?.destroy()
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    warm(url)
    await expect.poll(() => sockets.length).toBe(2)
  })

  it("ignores what cannot be warmed", async () => {
    const { warm, send } = client(node)
    const url = await freePort()
    warm(url)
    warm("nonsense")
    warm("https://10.0.0.1")
    expect(await send(get(url))).toEqual({ failure: "connect", sent: false })
  })

  it("ends the calls under way when it is closed", async () => {
    let requests = 0
    const { url } = await start(() => requests++)
    const made = node.createHttpClient(options)
    const pending = made.send(get(url))
    await expect.poll(() => requests).toBe(1)
    await made.close()
    expect(await pending).toEqual({ failure: "reset", sent: true })
    made.warm(url)
    expect(await made.send(get(url))).toEqual({ failure: "connect", sent: false })
  })
})
