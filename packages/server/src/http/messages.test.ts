import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import type { BodyRead } from "./message.js"
import { fromNodeRequest, nodeHeaders, writeAnswer } from "./node-message.js"
import { fromWebRequest, toWebResponse } from "./web-message.js"

/** Reads the body of one real request; `send` writes it, and decides when and whether it ends. */
async function readOverHttp(
  send: (write: ReturnType<typeof httpRequest>) => void,
  maxBytes = 10,
  deadline = 5000,
) {
  let done: (read: BodyRead) => void = () => undefined
  const read = new Promise<BodyRead>((resolve) => {
    done = resolve
  })
  const server = createServer(async (req, res) => {
    const result = await fromNodeRequest(req, { target: "/" }).body(maxBytes, deadline)
    res.end()
    done(result)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const outgoing = httpRequest({ port, host: "127.0.0.1", method: "POST" })
  outgoing.on("error", () => undefined)
  send(outgoing)
  const result = await read
  outgoing.destroy()
  server.closeAllConnections()
  server.close()
  return result
}

describe("a body on Node", () => {
  it("is read whole up to the limit", async () => {
    const read = await readOverHttp((outgoing) => {
      outgoing.write("12345")
      outgoing.end("67890")
    })
    expect(read).toEqual({ kind: "bytes", bytes: Uint8Array.from(Buffer.from("1234567890")) })
  })

  it("C9: is given up at the first byte too many, though it never ends", async () => {
    expect(await readOverHttp((outgoing) => void outgoing.write("12345678901"))).toEqual({
      kind: "too_large",
    })
  })

  it("C10: is given up at the deadline", async () => {
    expect(await readOverHttp((outgoing) => void outgoing.write("1"), 10, 30)).toEqual({ kind: "timeout" })
  })

  it("that is cut off is aborted", async () => {
    const cut = await readOverHttp((outgoing) => {
      outgoing.setHeader("content-length", "10")
      outgoing.write("1")
      setTimeout(() => outgoing.destroy(), 20)
    })
    expect(cut).toEqual({ kind: "aborted" })
  })

  it.each<[unknown, BodyRead["kind"]]>([
    [{ a: 1 }, "parsed"],
    ["{}", "bytes"],
    [Buffer.from("{}"), "bytes"],
  ])("that a framework has read before is taken as it is: %j", async (body, kind) => {
    const request = { headers: {}, readableDidRead: true, readableEnded: true, body } as never
    expect((await fromNodeRequest(request, { target: "/" }).body(10, 10)).kind).toBe(kind)
  })

  it("C9: that a framework has read before is held to the same limit", async () => {
    for (const body of ["12345678901", Buffer.from("12345678901")]) {
      const request = { headers: {}, readableDidRead: true, readableEnded: true, body } as never
      expect(await fromNodeRequest(request, { target: "/" }).body(10, 10)).toEqual({ kind: "too_large" })
    }
  })
})

it("splits path and query, and joins repeated headers", () => {
  const headers = { "x-a": ["1", "2"], "x-b": "3" }
  const request = fromNodeRequest({ method: "GET", headers } as never, {
    target: "/a%2Fb?x=1?y",
    address: "192.0.2.1",
  })
  expect([request.path, request.query, request.address]).toEqual(["/a%2Fb", "x=1?y", "192.0.2.1"])
  expect([request.header("x-a"), request.header("x-b"), request.header("x-c")]).toEqual([
    "1, 2",
    "3",
    undefined,
  ])
})

it("C10: after a body that was not read whole the connection ends", () => {
  const headers = (status: number) => nodeHeaders({ status, headers: {}, body: "é" })
  expect(headers(413)).toEqual({ "Content-Length": 2, Connection: "close" })
  expect(headers(408).Connection).toBe("close")
  expect(headers(200).Connection).toBeUndefined()
})

it("an answer that a time limit of the team's has overtaken is not written a second time", () => {
  const written: unknown[] = []
  const note = (...args: unknown[]) => void written.push(args)
  const answer = { status: 200, headers: {}, body: "x" }
  writeAnswer({ headersSent: true, writeHead: note, end: note }, answer)
  expect(written).toEqual([])
  writeAnswer({ headersSent: false, writeHead: note, end: note }, answer)
  expect(written).toEqual([[200, { "Content-Length": 1 }], ["x"]])
})

describe("a body on the Web", () => {
  const post = (body: BodyInit | null) =>
    fromWebRequest(
      new Request("http://x/a?q=1", { method: "POST", body, duplex: "half" } as RequestInit),
      "/a",
      undefined,
    )
  /** Sends one chunk, and never ends. */
  const endless = (cancelled: () => void) =>
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("12345678901")),
      cancel: cancelled,
    })

  it("is read whole up to the limit", async () => {
    const request = post("1234567890")
    expect(request.query).toBe("q=1")
    expect(await request.body(10, 5000)).toEqual({
      kind: "bytes",
      bytes: new TextEncoder().encode("1234567890"),
    })
    expect(await post(null).body(10, 5000)).toEqual({ kind: "bytes", bytes: new Uint8Array() })
  })

  it("C9: is given up and cancelled at the first byte too many", async () => {
    let cancelled = 0
    const stream = endless(() => cancelled++)
    expect(await post(stream).body(10, 5000)).toEqual({ kind: "too_large" })
    expect(cancelled).toBe(1)
  })

  it("C10: is given up at the deadline", async () => {
    expect(await post(endless(() => undefined)).body(100, 30)).toEqual({ kind: "timeout" })
  })

  it("that was used before is lost", async () => {
    const request = new Request("http://x/", { method: "POST", body: "x" })
    await request.text()
    expect(await fromWebRequest(request, "/", undefined).body(10, 10)).toEqual({ kind: "lost" })
  })

  it("an answer without a body has none", async () => {
    expect(toWebResponse({ status: 204, headers: {}, body: "" }).body).toBeNull()
    expect(await toWebResponse({ status: 200, headers: {}, body: "x" }).text()).toBe("x")
  })
})
