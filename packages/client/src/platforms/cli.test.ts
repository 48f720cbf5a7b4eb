import { execFile } from "node:child_process"
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createPkceClient } from "../client.js"
import { systemClock } from "../session/clock.js"
import { fakeBackend, ISSUER, provider } from "../testing/backend.js"
import { codeOf } from "../testing/device.js"
import { cli } from "./cli.js"
import { openSystemBrowser } from "./cli-browser.js"
import { loopbackBrowser } from "./cli-loopback.js"
import { fileStorage } from "./cli-storage.js"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pkce-"))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

describe("fileStorage", () => {
  it("reads nothing, writes, and deletes", async () => {
    const storage = fileStorage(join(folder, "new", "folder"), "a")
    expect(await storage.read()).toBeNull()
    await storage.update((current) => `${current}+1`)
    await storage.update(() => undefined)
    expect(await storage.read()).toBe("null+1")
    await storage.update(() => null)
    await storage.update(() => null)
    expect(await storage.read()).toBeNull()
    expect(await readdir(join(folder, "new", "folder"))).toEqual([])
  })

  it.skipIf(process.platform === "win32")("K5 is for its user only", async () => {
    const storage = fileStorage(join(folder, "own"), "a")
    await storage.update(() => "secret")
    expect(await modeOf(join(folder, "own"))).toBe(0o700)
    expect(await modeOf(join(folder, "own", "a.json"))).toBe(0o600)
  })

  it("leaves the old text where a change throws or the folder cannot be written", async () => {
    const storage = fileStorage(folder, "a")
    await storage.update(() => "old")
    const failing = storage.update(() => {
      throw new Error("of the caller")
    })
    await expect(failing).rejects.toThrow("of the caller")
    expect(await storage.read()).toBe("old")
    expect(await readdir(folder)).toEqual(["a.json"])
    await storage.update((current) => `${current}er`)
    expect(await storage.read()).toBe("older")
  })

  it("P21 takes the lock of a process that died, and waits for that of one that lives", async () => {
    const storage = fileStorage(folder, "a")
    const lock = join(folder, "a.json.lock")
    await writeFile(lock, "dead")
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(lock, longAgo, longAgo)
    await storage.update(() => "after the dead")
    expect(await storage.read()).toBe("after the dead")

    await writeFile(lock, "alive")
    let done = false
    const update = storage
      .update(() => "after the living")
      .then(() => {
        done = true
      })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(done).toBe(false)
    await rm(lock)
    await update
    expect(await storage.read()).toBe("after the living")
  })

  it("starts over where the lock was taken from it meanwhile", async () => {
    const storage = fileStorage(folder, "a")
    const lock = join(folder, "a.json.lock")
    const { writeFileSync, rmSync } = await import("node:fs")
    const seen: (string | null)[] = []
    await storage.update((current) => {
      seen.push(current)
      if (seen.length === 1) {
        // Another process took the lock for stale, and has written.
        writeFileSync(lock, "other")
        writeFileSync(join(folder, "a.json"), "of the other")
        setTimeout(() => rmSync(lock), 30)
      }
      return `${current}, ours`
    })
    expect(seen).toEqual([null, "of the other"])
    expect(await storage.read()).toBe("of the other, ours")
  })

  it("R6 loses no update of several processes", async () => {
    const script = join(folder, "writer.mjs")
    const source = join(import.meta.dirname, "cli-storage.ts")
    await writeFile(
      script,
      `import { fileStorage } from ${JSON.stringify(source)}
       const storage = fileStorage(process.argv[2], "n")
       for (let i = 0; i < 25; i++) await storage.update((text) => String(Number(text ?? 0) + 1))`,
    )
    const run = promisify(execFile)
    const tsx = import.meta.resolve("tsx")
    await Promise.all([1, 2, 3].map(() => run(process.execPath, ["--import", tsx, script, folder])))
    expect(await readFile(join(folder, "n.json"), "utf8")).toBe("75")
  })
})

/** A request with a host name of its own. */
const get = (port: number, path: string, headers = {}, method = "GET") =>
  new Promise<number>((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, headers, method }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on("error", reject)
      .end()
  })

describe("loopbackBrowser", () => {
  it("B6 takes only what is expected, at its own path and name", async () => {
    const statuses: number[] = []
    const browser = loopbackBrowser(async (url) => {
      const port = Number(new URL(url).port)
      statuses.push(await get(port, "/favicon.ico"))
      statuses.push(await get(port, "/callback/more?state=right"))
      statuses.push(await get(port, "/callback?state=forged"))
      statuses.push(await get(port, "/callback?state=right", { Host: "evil.example" }))
      statuses.push(await get(port, "/callback?state=right", {}, "POST"))
      statuses.push(await get(port, "/callback?state=right"))
    })
    const run = await browser.start("http://127.0.0.1/callback", systemClock)
    expect(run.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    const outcome = await run.open(run.redirectUri, (url) => url.endsWith("state=right"))
    run.close()
    expect(outcome).toEqual({ type: "callback", url: `${run.redirectUri}?state=right` })
    await expect.poll(() => statuses).toEqual([404, 404, 404, 404, 404, 200])
    await expect(fetch(run.redirectUri)).rejects.toThrow()
  })

  it("B10 answers with a page that leaks nothing", async () => {
    let page: Response | undefined
    const browser = loopbackBrowser(async (url) => {
      page = await fetch(`${url}?code=marker`)
    })
    const run = await browser.start("http://127.0.0.1/cb", systemClock)
    await run.open(run.redirectUri, () => true)
    run.close()
    await expect.poll(() => page?.headers.get("cache-control")).toBe("no-store")
    expect(page?.headers.get("referrer-policy")).toBe("no-referrer")
    expect(page?.headers.get("content-security-policy")).toContain("default-src 'none'")
    const text = (await page?.text()) ?? ""
    expect(text).toContain("close this window")
    expect(text).not.toMatch(/marker|<script|https?:/)
  })

  it("listens on the port that the redirect URI names, and says so where it is taken", async () => {
    const free = await loopbackBrowser(() => {}).start("http://127.0.0.1/callback", systemClock)
    const { redirectUri } = free
    const taken = loopbackBrowser(() => {}).start(redirectUri, systemClock)
    expect(await codeOf(Promise.resolve(taken))).toBe("network")
    free.close()
    await expect
      .poll(async () => {
        const again = await Promise.resolve(loopbackBrowser(() => {}).start(redirectUri, systemClock)).catch(
          () => null,
        )
        again?.close()
        return again?.redirectUri
      })
      .toBe(redirectUri)
  })

  it.each([
    "http://localhost/callback",
    "https://127.0.0.1/callback",
    "http://127.0.0.2/",
    "myapp://callback",
  ])("refuses the redirect URI %s", async (redirectUri) => {
    const start = async () => loopbackBrowser(() => {}).start(redirectUri, systemClock)
    expect(await codeOf(start())).toBe("redirect_uri_not_allowed")
  })

  it("ends by being closed, once or twice", async () => {
    const run = await loopbackBrowser(() => {}).start("http://127.0.0.1/callback", systemClock)
    const open = run.open("https://id.example.com/", () => true)
    run.close()
    run.close()
    expect(await open).toEqual({ type: "cancelled" })
  })
})

describe("openSystemBrowser", () => {
  it.each(["file:///etc/passwd", "--help", "javascript:alert(1)", ""])("opens no %j", async (url) => {
    await expect(openSystemBrowser(url)).rejects.toThrow(TypeError)
  })

  it.skipIf(process.platform !== "linux")(
    "gives the URL to the program as one argument, without a shell",
    async () => {
      const log = join(folder, "log")
      await writeFile(
        join(folder, "xdg-open"),
        `#!/bin/sh\nprintf '%s|' "$#" "$@" > ${log}.part\nmv ${log}.part ${log}\n`,
      )
      await chmod(join(folder, "xdg-open"), 0o755)
      const path = process.env.PATH
      process.env.PATH = `${folder}:${path}`
      const url = "https://id.example.com/?a=$(touch x)&b=`id`;c 'd'"
      try {
        await openSystemBrowser(url)
      } finally {
        process.env.PATH = path
      }
      await expect.poll(() => readFile(log, "utf8").catch(() => "")).toBe(`1|${url}|`)
    },
  )
})

describe("cli", () => {
  const backend = fakeBackend({ ...systemClock, advance() {}, jump() {} })
  const openBrowser = async (url: string) => {
    const { searchParams } = new URL(url)
    const query = new URLSearchParams({
      code: backend.issueCode(url),
      state: searchParams.get("state") ?? "",
      iss: ISSUER,
    })
    const page = await fetch(`${searchParams.get("redirect_uri")}?${query}`)
    expect(page.status).toBe(200)
  }
  const start = () =>
    createPkceClient({
      server: "https://api.example.com/auth",
      redirectUri: "http://127.0.0.1/callback",
      providers: [provider],
      platform: { ...cli({ openBrowser, directory: folder, name: "test" }), http: backend.http },
    })

  it("logs in through a real listener, and R6 two clients share one file", async () => {
    const first = start()
    const second = start()
    expect(await first.login()).toMatchObject({ status: "signed_in" })
    expect((await second.restore()).session?.id).toBe(first.session?.id)
    expect(await second.getSessionToken()).toBe(await first.getSessionToken())
    expect(await readdir(folder)).toEqual(["test.json"])
    await second.logout()
    expect((await start().restore()).session).toBeNull()
  })
})
