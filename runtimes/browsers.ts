import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { WebSocket } from "undici"

/** A tab of a browser, in a window of its own: in sight, as a tab is that a user works with. */
export interface Tab {
  goto(url: string): Promise<unknown>
  /** The value of an expression in the page, waited for. */
  run<T>(expression: string): Promise<T>
  /** As a user clicks. */
  click(selector: string): Promise<unknown>
  back(): Promise<unknown>
}

export interface Running {
  tab(): Promise<Tab>
  close(): Promise<void>
}

/** A browser that is installed on the system. `notRun` belongs in the name of a test that needs it, and says why. */
export interface Browser {
  name: string
  isThere: boolean
  notRun: string
  start(): Promise<Running>
}

const isThere = (...commands: string[]) => commands.every((command) => spawnSync(command, ["--help"]).pid > 0)

function browser(name: string, packages: string, commands: string[], start: Browser["start"]): Browser {
  const there = isThere(...commands)
  return {
    name,
    isThere: there,
    notRun: there ? "" : `: NOT RUN: it is not installed here (Debian: ${packages})`,
    start,
  }
}

/** The first match in what a process writes. */
function written(child: ChildProcess, from: number, form: RegExp): Promise<string> {
  let text = ""
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`ended, having written ${text}`)))
    child.stdio[from]?.on("data", (data) => {
      text += data
      const match = form.exec(text)
      if (match) resolve(match[1] ?? "")
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once("exit", resolve))
  child.kill("SIGKILL")
  await exit
}

/** By WebDriver BiDi, which Firefox speaks without a driver of its own. */
async function startFirefox(): Promise<Running> {
  const profile = mkdtempSync(join(tmpdir(), "pkce-firefox-"))
  const child = spawn(
    FIREFOX,
    ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  )
  const socket = new WebSocket(`${await written(child, 2, /BiDi listening on (ws:\S+)/)}/session`)
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  socket.onmessage = ({ data }) => {
    const answer: Answer = JSON.parse(data)
    waiting.get(answer.id)?.(answer)
  }
  interface Answer {
    id: number
    error?: string
    message?: string
    // biome-ignore lint/suspicious/noExplicitAny: as the protocol's commands answer
    result?: any
  }
  let last = 0
  async function send(method: string, params: object) {
    const id = ++last
    const answer = await new Promise<Answer>((resolve) => {
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ id, method, params }))
    })
    waiting.delete(id)
    if (answer.error) throw new Error(`${method}: ${answer.message}`)
    return answer.result
  }

  await send("session.new", { capabilities: {} })
  return {
    async tab() {
      const { context } = await send("browsingContext.create", { type: "window" })
      const run = async (expression: string) => {
        const { result, exceptionDetails } = await send("script.evaluate", {
          expression: `(async () => JSON.stringify(await (${expression})))()`,
          target: { context },
          awaitPromise: true,
          userActivation: true,
        })
        if (exceptionDetails) throw new Error(exceptionDetails.text)
        return JSON.parse(result.value ?? "null")
      }
      return {
        goto: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
        run,
        click: (selector) => run(`document.querySelector(${JSON.stringify(selector)}).click()`),
        back: () => send("browsingContext.traverseHistory", { context, delta: -1 }),
      }
    },
    async close() {
      socket.close()
      await ended(child)
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** WebKit's GTK port, by WebDriver, on a display of its own. */
async function startWebKit(): Promise<Running> {
  const display = spawn("Xvfb", ["-displayfd", "3", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  })
  const env = { ...process.env, DISPLAY: `:${await written(display, 3, /(\d+)\n/)}` }
  const port = await freePort()
  const driver = spawn("WebKitWebDriver", [`--port=${port}`], { env, stdio: "ignore" })

  async function send(method: string, path: string, body?: object) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const { value } = (await answer.json()) as { value: any }
    if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message}`)
    return value
  }
  const listening = async (): Promise<unknown> =>
    send("GET", "/status").catch(async (error) => {
      if (driver.exitCode !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
      return listening()
    })

  await listening()
  const { sessionId } = await send("POST", "/session", { capabilities: {} })
  const session = `/session/${sessionId}`
  let spare = await send("GET", `${session}/window`)
  let queue: Promise<unknown> = Promise.resolve()
  return {
    async tab() {
      const handle = spare ?? (await send("POST", `${session}/window/new`, { type: "window" })).handle
      spare = undefined
      // One command at a time speaks to one window.
      const command = async (method: string, path: string, body?: object) => {
        const turn = queue.then(async () => {
          await send("POST", `${session}/window`, { handle })
          return send(method, session + path, body)
        })
        queue = turn.catch(() => {})
        return turn
      }
      return {
        goto: (url) => command("POST", "/url", { url }),
        async run(expression) {
          const { value, error } = await command("POST", "/execute/async", {
            script: `const [done] = arguments
              ;(async () => JSON.stringify(await (${expression})))().then(
                (value) => done({ value }),
                (error) => done({ error: String(error) }))`,
            args: [],
          })
          if (error) throw new Error(error)
          return JSON.parse(value ?? "null")
        },
        async click(selector) {
          const found = await command("POST", "/element", { using: "css selector", value: selector })
          await command("POST", `/element/${Object.values(found)[0]}/click`, {})
        },
        back: () => command("POST", "/back", {}),
      }
    },
    async close() {
      await send("DELETE", session).catch(() => {})
      await ended(driver)
      await ended(display)
    },
  }
}
const FIREFOX = isThere("firefox") ? "firefox" : "firefox-esr"
export const firefox = browser("Firefox", "firefox-esr", [FIREFOX], startFirefox)
export const webkit = browser("WebKit", "webkit2gtk-driver, xvfb", ["WebKitWebDriver", "Xvfb"], startWebKit)
