import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** What becomes of the next request of a path. */
type Fault =
  /** It has its effect, and its answer is lost. */
  | { kind: "lose" }
  /** It has its effect, and the app waits for the answer in vain. */
  | { kind: "hold" }
  /** Somebody on the way answers instead. */
  | { kind: "intercept"; status: number; headers: Record<string, string>; body: string }

export interface Network {
  /** Stands for the backend's mount. */
  url: string
  /** Bodies of the requests, by path, in the order in which they came. */
  sent: Record<string, string[]>
  /** How many requests of a path had an answer of the backend's, lost ones included. */
  answered(path: string): number
  /** Gives the path's next request this fault, and resolves once that has happened. */
  fault(path: string, fault: Fault): Promise<void>
  close(): Promise<void>
}

/** A network between app and backend that does to each request what a test says. */
export async function startNetwork(target: string): Promise<Network> {
  const faults = new Map<string, { fault: Fault; done(): void }[]>()
  const sent: Network["sent"] = {}
  const answers = new Map<string, number>()
  const origin = new URL(target)

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request)
    const path = (request.url ?? "/").slice(origin.pathname.length)
    sent[path] = [...(sent[path] ?? []), body]
    const next = faults.get(path)?.shift()
    if (next?.fault.kind === "intercept") {
      const { status, headers, body } = next.fault
      response.writeHead(status, headers).end(body)
      return next.done()
    }
    const { method, url, headers } = request
    const forward = httpRequest(
      { host: origin.hostname, port: origin.port, method, path: url, headers },
      async (answer) => {
        const text = await textOf(answer)
        answers.set(path, (answers.get(path) ?? 0) + 1)
        if (!next) return response.writeHead(answer.statusCode ?? 502, answer.headers).end(text)
        next.done()
        if (next.fault.kind === "lose") response.destroy()
      },
    )
    forward.on("error", () => response.destroy())
    forward.end(body)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${origin.pathname}`,
    sent,
    answered: (path) => answers.get(path) ?? 0,
    fault: (path, fault) =>
      new Promise((done) => {
        faults.set(path, [...(faults.get(path) ?? []), { fault, done }])
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = ""
  for await (const chunk of message) text += chunk
  return text
}
