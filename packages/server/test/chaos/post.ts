import { type Agent, request } from "node:http"

export interface Answer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  body: string
}

/** One POST of JSON to a port of this machine; `null` where no whole answer came. */
export function post(
  port: number,
  path: string,
  body: string,
  agent: Agent,
  timeout: number,
): Promise<Answer | null> {
  return new Promise((resolve) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
    const sending = request({ host: "127.0.0.1", port, path, method: "POST", headers, agent }, (answer) => {
      let text = ""
      answer.setEncoding("utf8")
      answer.on("data", (chunk: string) => {
        text += chunk
      })
      answer.once("error", () => resolve(null))
      answer.once("end", () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text })
      })
      answer.once("close", () => resolve(null))
    })
    sending.setTimeout(timeout, () => sending.destroy())
    sending.once("error", () => resolve(null))
    sending.end(body)
  })
}
