import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ConfigurationError } from "../config/faults.js"
import { configure } from "./configure.js"
import { createLog } from "./log.js"

const random = () => randomBytes(32).toString("base64url")

const good = () => ({
  PKCE_ISSUER: "https://tenant.example/",
  PKCE_CLIENT_ID: "client",
  PKCE_CLIENT_SECRET: "client-secret",
  PKCE_REDIRECT_URIS: "com.example.app://callback",
  PKCE_SECRET: random(),
  PKCE_URL: "https://api.example.com/auth",
  PKCE_STORE: "sqlite:/data/auth.db",
})

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pkce-serve-"))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, random())
  writeFileSync(path, text)
  return path
}

async function judge(change: Record<string, string | undefined>) {
  const warnings: string[] = []
  const log = { ...createLog(false), warn: (text: string) => void warnings.push(text) }
  try {
    return { ...(await configure({ ...good(), ...change }, log)), warnings, faults: [], message: "" }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const faults = error.faults.map(({ option, problem }) => `${option} ${problem}`)
    return { settings: undefined, config: undefined, driver: null, warnings, faults, message: error.message }
  }
}

describe("what serve reads", () => {
  it("has its defaults, and needs no word of warning", async () => {
    const { settings, config, driver, warnings } = await judge({})
    expect(settings).toEqual({
      port: 8787,
      host: "127.0.0.1",
      store: { kind: "sqlite", path: "/data/auth.db" },
      proxies: 0,
      log: true,
      backgroundRefresh: true,
    })
    expect(config).toMatchObject({ basePath: "/auth", session: { algorithm: "EdDSA" } })
    expect(driver?.name).toBe("libsql")
    expect(warnings).toEqual([])
  })

  it("signs for other programs by default, as soon as they can know the issuer", async () => {
    expect((await judge({ PKCE_SESSION_ALGORITHM: "HS256" })).config?.session.algorithm).toBe("HS256")
    const { config, warnings } = await judge({ PKCE_URL: undefined })
    expect(config?.session.algorithm).toBe("HS256")
    expect(warnings).toEqual(["PKCE_URL is not set: no other program can verify a session token"])
  })

  it.each([
    ["memory", { kind: "memory" }],
    ["sqlite:/data/auth.db", { kind: "sqlite", path: "/data/auth.db" }],
    ["sqlite:///data/auth.db", { kind: "sqlite", path: "/data/auth.db" }],
    ["sqlite:auth.db", { kind: "sqlite", path: resolve("auth.db") }],
    ["postgres://u:p@db/x", { kind: "postgres", url: "postgres://u:p@db/x" }],
    ["postgresql://db/x", { kind: "postgres", url: "postgresql://db/x" }],
    ["redis://cache", { kind: "redis", url: "redis://cache" }],
    ["rediss://cache:6380/1", { kind: "redis", url: "rediss://cache:6380/1" }],
  ])("the store %s", async (PKCE_STORE, place) => {
    expect((await judge({ PKCE_STORE })).settings?.store).toEqual(place)
  })

  it("takes secrets from files, newest first, without the line break at the end", async () => {
    const [newest, older] = [random(), random()]
    const { config, settings } = await judge({
      PKCE_SECRET: undefined,
      PKCE_SECRET_FILE: file(`${newest}\n${older}\n`),
      PKCE_CLIENT_SECRET: undefined,
      PKCE_CLIENT_SECRET_FILE: file("of the client \r\n"),
      PKCE_STORE: undefined,
      PKCE_STORE_FILE: file("postgres://u:p@db/x\n"),
    })
    expect(config?.secrets.map(({ secret }) => secret)).toEqual([newest, older])
    expect(config?.providers[0]?.clientSecret).toBe("of the client ")
    expect(settings?.store).toEqual({ kind: "postgres", url: "postgres://u:p@db/x" })
  })
})

describe("faults", () => {
  it.each<[string, Record<string, string | undefined>, string]>([
    ["no store", { PKCE_STORE: undefined }, "PKCE_STORE is not set"],
    ["an unknown store", { PKCE_STORE: "mysql://CANARY@h" }, "PKCE_STORE is none of the stores"],
    ["a store without a place", { PKCE_STORE: "postgres:" }, "PKCE_STORE is none of the stores"],
    ["a file without a name", { PKCE_STORE: "sqlite:" }, "PKCE_STORE names no file"],
    ["a file that is memory", { PKCE_STORE: "sqlite::memory:" }, "PKCE_STORE names no file"],
    [
      "the memory store in production",
      { PKCE_STORE: "memory", NODE_ENV: "production" },
      "PKCE_STORE is the memory store, in production",
    ],
    [
      "what Kubernetes sets",
      { PKCE_PORT: "tcp://CANARY:80" },
      "PKCE_PORT is not a whole number of at most 65535",
    ],
    ["a port that is none", { PKCE_PORT: "65536" }, "PKCE_PORT is not a whole number of at most 65535"],
    ["proxies", { PKCE_TRUST_PROXY: "true" }, "PKCE_TRUST_PROXY is not a whole number of at most 16"],
    ["a flag", { PKCE_LOG: "CANARY" }, "PKCE_LOG is not true or false"],
    ["another", { PKCE_BACKGROUND_REFRESH: "no" }, "PKCE_BACKGROUND_REFRESH is not true or false"],
    [
      "a secret twice",
      { PKCE_SECRET_FILE: import.meta.filename },
      "PKCE_SECRET_FILE stands beside PKCE_SECRET",
    ],
    [
      "a file that is not there",
      { PKCE_SECRET: undefined, PKCE_SECRET_FILE: "/CANARY" },
      "PKCE_SECRET_FILE cannot be read (ENOENT)",
    ],
  ])("%s", async (_, change, fault) => {
    const { faults, message } = await judge(change)
    expect(faults).toContain(fault)
    expect(message).not.toContain("CANARY")
  })

  it("a file that is empty, or too long to be a secret", async () => {
    const empty = { PKCE_CLIENT_SECRET: undefined, PKCE_CLIENT_SECRET_FILE: file("\n") }
    expect((await judge(empty)).faults).toEqual(["PKCE_CLIENT_SECRET_FILE names an empty file"])
    const long = { PKCE_CLIENT_SECRET: undefined, PKCE_CLIENT_SECRET_FILE: file("x".repeat(65_537)) }
    expect((await judge(long)).faults).toEqual([
      "PKCE_CLIENT_SECRET_FILE names a file that is too long to be a secret",
    ])
  })

  it("the memory store in production is admitted by name", async () => {
    const change = { PKCE_STORE: "memory", NODE_ENV: "production", PKCE_ALLOW_MEMORY_STORE: "true" }
    expect((await judge(change)).faults).toEqual([])
  })

  it("all at once, those of the options too, each with its variable", async () => {
    const change = { PKCE_PORT: "x", PKCE_STORE: "x", PKCE_SECRET: "CANARY", PKCE_CLIENT_ID: undefined }
    const { faults, message } = await judge(change)
    expect(faults.map((text) => text.split(" ")[0])).toEqual([
      "PKCE_PORT",
      "PKCE_STORE",
      "secrets[0]",
      "clientId",
    ])
    expect(message).toContain("(environment variable: PKCE_CLIENT_ID)")
    expect(message).not.toContain("CANARY")
  })

  it("a variable that nobody reads is a warning, unless Kubernetes made it", async () => {
    const change = { PKCE_REDIRECT_URI: "CANARY", PKCE_SERVICE_HOST: "x", PKCE_PORT_8787_TCP_ADDR: "x" }
    expect((await judge(change)).warnings).toEqual([
      "PKCE_REDIRECT_URI is not a variable that anything reads",
    ])
  })
})
