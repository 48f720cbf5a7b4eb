import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { installedBeside, linkInto, runServe } from "../support/serve.js"
import { random } from "../support/server.js"

const good = () => ({
  PKCE_ISSUER: "https://tenant.example/",
  PKCE_CLIENT_ID: "client",
  PKCE_CLIENT_SECRET: "CANARY-of-the-client",
  PKCE_REDIRECT_URIS: "com.example.app://callback",
  PKCE_SECRET: random(),
  PKCE_URL: "https://api.example.com/auth",
  PKCE_STORE: "postgres://CANARY-user:CANARY-password@db.example.com:5433/sessions",
})

const folder = mkdtempSync(join(tmpdir(), "pkce-serve-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("pkce-server", () => {
  it("tells its version and how it is used", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    expect(runServe(["--version"])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: "" })
    const help = runServe(["--help"])
    expect(help).toMatchObject({ status: 0, stderr: "" })
    for (const word of ["serve", "check", "secret", "PKCE_ISSUER"]) expect(help.stdout).toContain(word)
    expect(runServe(["serve", "--help"])).toEqual(help)
  })

  it("shows its usage for what it does not know, repeats none of it, and ends with 2", () => {
    const usage = runServe(["--help"]).stdout
    for (const words of ["", "CANARY", "serve CANARY", "serve --CANARY=1", "--CANARY", "toString"]) {
      const { status, stdout, stderr } = runServe(words.split(" ").filter(Boolean))
      expect([words, status, stdout, stderr]).toEqual([words, 2, "", usage])
    }
  })

  it("makes a secret that it takes itself, another one each time", () => {
    const lines = [runServe(["secret"]).stdout, runServe(["secret"]).stdout]
    expect(lines[0]).not.toBe(lines[1])
    for (const line of lines) {
      const [, name = "", value = ""] = /^(\w+)=([\w-]{43})\n$/.exec(line) ?? []
      expect(name).toBe("PKCE_SECRET")
      expect(runServe(["check"], { ...good(), [name]: value }).status).toBe(0)
    }
  })
})

describe("check", () => {
  it("says what the configuration is, opens nothing, and shows no secret", () => {
    const { status, stdout, stderr } = runServe(["check"], { ...good(), PKCE_TYPO: "CANARY" })
    expect([status, stderr]).toEqual([0, ""])
    expect(stdout).toBe(`ok    provider: https://tenant.example/, client client, 1 redirect URI
ok    url: https://api.example.com/auth, mounted at /auth
ok    session tokens: EdDSA, 300 s, keys at https://api.example.com/auth/jwks.json
ok    secrets: 1
ok    store: postgres, db.example.com:5433
ok    hosted login: not offered
ok    listens at 127.0.0.1, port 8787, behind 0 proxies
warn  PKCE_TYPO is not a variable that anything reads
`)
    const sqlite = { ...good(), PKCE_STORE: `sqlite:${join(folder, "auth.db")}` }
    expect(runServe(["check"], sqlite).stdout).toContain(`store: sqlite, ${join(folder, "auth.db")}\n`)
    expect(readdirSync(folder)).toEqual([])
  })

  it("lists every fault with its mend, and ends with 1, as serve does", () => {
    const wrong = {
      ...good(),
      PKCE_PORT: "CANARY",
      PKCE_SECRET: "CANARY",
      PKCE_ISSUER: "",
      PKCE_STORE: "CANARY",
      PKCE_TYPO: "CANARY",
    }
    for (const command of ["check", "serve"]) {
      const { status, stderr, output } = runServe([command], wrong)
      expect(status).toBe(1)
      expect(stderr).toMatch(/^4 faults in the configuration of @pkce\/server:$/m)
      for (const word of ["PKCE_PORT: ", "PKCE_STORE: ", "secrets[0]: ", "issuer: "])
        expect(stderr).toContain(word)
      expect(stderr).toContain("Make one with: openssl rand -base64 32")
      expect(output).toContain("PKCE_TYPO is not a variable that anything reads")
      expect(output).not.toContain("CANARY")
    }
  })
})

describe("serve", () => {
  it("does not start on a file that is no database, or in a folder that is not there", () => {
    for (const path of [join(folder, "missing/auth.db"), folder]) {
      const { status, output } = runServe(["serve"], { ...good(), PKCE_STORE: `sqlite:${path}` })
      expect(status).toBe(1)
      expect(output).toMatch(/PKCE_STORE: names a file that cannot be used \(\w+\)/)
      expect(output).not.toContain("CANARY")
    }
  })

  it("does not start at an address that is not this machine's", () => {
    const elsewhere = { ...good(), PKCE_STORE: "memory", PKCE_HOST: "192.0.2.1" }
    const { status, output } = runServe(["serve"], elsewhere)
    expect([status, output]).toEqual([1, expect.stringContaining("PKCE_HOST: cannot be listened at")])
  })
})

describe("drivers", () => {
  it.each([
    ["postgres://db/x", "pg"],
    ["redis://cache", "ioredis"],
    ["sqlite:auth.db", "libsql"],
  ])("%s needs one, and the fault has the command that installs it", (PKCE_STORE, driver) => {
    const bare = installedBeside([])
    try {
      const { status, output } = runServe(["check"], { ...good(), PKCE_STORE }, bare)
      if (driver === "libsql" && isBuiltin("node:sqlite")) return expect(status).toBe(0)
      expect(status).toBe(1)
      expect(output).toContain("PKCE_STORE: needs a driver, and none is installed")
      expect(output).toContain(`npm install ${driver}`)
      expect(output).toContain(`npx -p @pkce/server -p ${driver} pkce-server serve`)
    } finally {
      bare.remove()
    }
  })

  it("are found beside the package, and in the project that it was started in", () => {
    const [beside, elsewhere] = [installedBeside(["pg"]), installedBeside([])]
    try {
      expect(runServe(["check"], good(), beside).status).toBe(0)
      expect(runServe(["check"], good(), elsewhere).status).toBe(1)
      linkInto(elsewhere.cwd, "pg")
      const project = { ...elsewhere, bin: beside.bin }
      rmSync(join(beside.cwd, "node_modules/pg"))
      expect(runServe(["check"], good(), beside).status).toBe(1)
      expect(runServe(["check"], good(), project).status).toBe(0)
    } finally {
      beside.remove()
      elsewhere.remove()
    }
  })
})
