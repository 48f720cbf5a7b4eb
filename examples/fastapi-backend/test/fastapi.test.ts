import { spawn, spawnSync } from "node:child_process"
import { createHmac, createPublicKey, sign } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { createPkceClient } from "@pkce/client"
import { cli } from "@pkce/client/cli"
import { logInHeadless } from "@pkce-examples/local-provider"
import { startBackend } from "@pkce-examples/local-provider/backend"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type Api, anyPython, python, startApi } from "./support/api.js"
import { createKey, type Issuer, joined, startIssuer, tokenOf } from "./support/issuer.js"

const now = () => Math.floor(Date.now() / 1000)

describe.skipIf(!python)(
  "the FastAPI backend (needs python3 with fastapi, uvicorn and pyjwt[crypto])",
  () => {
    const key = createKey("first")
    const ends: (() => Promise<unknown>)[] = []
    const endLater = <T>(thing: T, end: (thing: T) => Promise<unknown>): T => {
      ends.unshift(() => end(thing))
      return thing
    }
    afterEach(async () => {
      for (const end of ends.splice(0)) await end()
    })

    it("knows the user of a real login", async () => {
      const backend = endLater(await startBackend(), (one) => one.close())
      const folder = endLater(await mkdtemp(join(tmpdir(), "pkce-fastapi-")), (one) =>
        rm(one, { recursive: true }),
      )
      const api = endLater(await startApi(backend.url), (one) => one.stop())
      const app = createPkceClient({
        server: backend.url,
        redirectUri: "http://127.0.0.1/callback",
        platform: cli({
          directory: folder,
          openBrowser: async (url) => {
            await logInHeadless(url, { user: "Ada Lovelace" })
          },
        }),
      })
      await app.login()
      const token = await app.getSessionToken()
      const me = await api.me(`Bearer ${token}`)
      expect(me.status).toBe(200)
      const session = await backend.auth.authenticate(token ?? "")
      expect(me.body).toEqual({ user: { sub: session?.user.sub } })

      // Of its last characters a decoder may leave out bits: one in the middle counts whole.
      const forged = token?.replace(/.(?=.{40}$)/, (letter) => (letter === "A" ? "B" : "A"))
      expect((await api.me(`Bearer ${forged}`)).status).toBe(401)
    })

    describe("tokens", () => {
      let issuer: Issuer
      let api: Api
      beforeAll(async () => {
        issuer = await startIssuer([key])
        api = await startApi(issuer.url)
      })
      afterAll(async () => {
        await api?.stop()
        await issuer?.close()
      })

      it("a good one is believed, from a clock that is a little ahead too", async () => {
        for (const claims of [{}, { iat: now() + 3 }]) {
          const { status, body } = await api.me(`Bearer ${tokenOf(key, issuer.url, claims)}`)
          expect([status, body]).toEqual([200, { user: { sub: "ada" } }])
        }
      })

      const pem = createPublicKey(key.privateKey).export({ type: "spki", format: "pem" })
      const hs256 = (secret: string | Buffer) => () =>
        joined(
          { alg: "HS256", typ: "at+jwt", kid: key.kid },
          { iss: issuer.url, aud: issuer.url, sub: "ada", sid: "s", iat: now(), exp: now() + 300 },
          (input) => createHmac("sha256", secret).update(input).digest(),
        )
      const changed =
        (claims: object, header: object = {}) =>
        () =>
          tokenOf(key, issuer.url, { ...claims }, { ...header })

      it.each<[string, () => string]>([
        ["has ended", changed({ exp: now() - 60 })],
        ["is from another key of the same id", () => tokenOf(createKey(key.kid), issuer.url)],
        ["is from a key that nobody published", () => tokenOf(createKey("other"), issuer.url)],
        ["names no key", changed({}, { kid: undefined })],
        ["says alg none", () => tokenOf(key, issuer.url, {}, { alg: "none" }).replace(/[^.]*$/, "")],
        ["says alg none and is signed", changed({}, { alg: "none" })],
        ["is HS256 by the public key's text", hs256(pem)],
        ["is HS256 by the public key's bytes", hs256(Buffer.from(String(key.jwk.x), "base64url"))],
        ["is for another audience", changed({ aud: "https://other.example" })],
        ["has no audience", changed({ aud: undefined })],
        ["is from another issuer", changed({ iss: "https://other.example" })],
        ["is from an issuer that only begins alike", changed({ iss: `http://127.0.0.1:1/auth/` })],
        ["is an ID token", changed({}, { typ: "JWT" })],
        ["has no type", changed({}, { typ: undefined })],
        ["never ends", changed({ exp: undefined })],
        ["is nobody's", changed({ sub: undefined })],
        ["is of nobody that is a text", changed({ sub: 7 })],
        ["is of no session", changed({ sid: undefined })],
        ["is from tomorrow", changed({ iat: now() + 86_400 })],
        [
          "had its claims changed",
          () => {
            const [header, , signature] = tokenOf(key, issuer.url).split(".")
            const other = tokenOf(key, issuer.url, { sub: "eve" }).split(".")[1]
            return [header, other, signature].join(".")
          },
        ],
        [
          "has claims that are a list",
          () => {
            const input = `${tokenOf(key, issuer.url).split(".")[0]}.${Buffer.from("[1]").toString("base64url")}`
            return `${input}.${sign(null, Buffer.from(input), key.privateKey).toString("base64url")}`
          },
        ],
        [
          "nests too deep for the parser",
          () => {
            const header = `{"typ":"at+jwt","a":${"[".repeat(5000)}${"]".repeat(5000)}}`
            return `${Buffer.from(header).toString("base64url")}.e30.AAAA`
          },
        ],
        ["is no token", () => "garbage"],
        ["is nearly one", () => "a.b.c"],
      ])("one that %s is refused", async (_, token) => {
        const { status, headers, body } = await api.me(`Bearer ${token()}`)
        expect([status, body]).toEqual([401, { error: "invalid_token", retryable: false }])
        expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"')
        expect(headers.get("cache-control")).toBe("no-store")
      })

      it("none at all is asked for, with no more words", async () => {
        for (const authorization of [undefined, "Basic YTpi"]) {
          const { status, headers } = await api.me(authorization)
          expect([status, headers.get("www-authenticate")]).toEqual([401, "Bearer"])
        }
      })
    })

    it("an audience of its own is the only one that counts", async () => {
      const issuer = endLater(await startIssuer([key]), (one) => one.close())
      const api = endLater(await startApi(issuer.url, "https://api.example.com"), (one) => one.stop())
      const mine = tokenOf(key, issuer.url, { aud: "https://api.example.com" })
      expect((await api.me(`Bearer ${mine}`)).status).toBe(200)
      expect((await api.me(`Bearer ${tokenOf(key, issuer.url)}`)).status).toBe(401)
    })

    it("a rotated key is found at once, and the key that was taken away is no longer believed", async () => {
      const issuer = endLater(await startIssuer([key]), (one) => one.close())
      const api = endLater(await startApi(issuer.url), (one) => one.stop())
      const old = tokenOf(key, issuer.url)
      expect((await api.me(`Bearer ${old}`)).status).toBe(200)
      const next = createKey("second")
      issuer.publish([next])
      expect((await api.me(`Bearer ${tokenOf(next, issuer.url)}`)).status).toBe(200)
      expect((await api.me(`Bearer ${old}`)).status).toBe(401)
    })

    it("a flood of made-up key ids does not become a flood at the backend", async () => {
      const issuer = endLater(await startIssuer([key]), (one) => one.close())
      const api = endLater(await startApi(issuer.url), (one) => one.stop())
      const made = Array.from({ length: 40 }, (_, n) => tokenOf(createKey(`made-up-${n}`), issuer.url))
      const answers = await Promise.all(made.map((token) => api.me(`Bearer ${token}`)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]))
      expect(issuer.asked()).toBeLessThan(8)
      expect((await api.me(`Bearer ${tokenOf(key, issuer.url)}`)).status).toBe(200)
    })

    it("a token of another algorithm does not make us ask for keys", async () => {
      const issuer = endLater(await startIssuer([key]), (one) => one.close())
      const api = endLater(await startApi(issuer.url), (one) => one.stop())
      expect(
        (await api.me(`Bearer ${tokenOf(createKey("x"), issuer.url, {}, { alg: "ES256" })}`)).status,
      ).toBe(401)
      expect(issuer.asked()).toBe(0)
    })

    it("keys that vanish from the answer are an outage, and take no known key away", async () => {
      const issuer = endLater(await startIssuer([key]), (one) => one.close())
      const api = endLater(await startApi(issuer.url), (one) => one.stop())
      const token = tokenOf(key, issuer.url)
      expect((await api.me(`Bearer ${token}`)).status).toBe(200)
      issuer.publish([])
      expect((await api.me(`Bearer ${tokenOf(createKey("second"), issuer.url)}`)).status).toBe(503)
      expect((await api.me(`Bearer ${token}`)).status).toBe(200)
    })

    it("keys that nobody has confirmed for an hour are believed no longer", () => {
      const program = [
        "import session_tokens as s",
        "now = [0.0]",
        "keys = s.PublishedKeys('http://127.0.0.1:9/jwks.json', now=lambda: now[0])",
        // A whole key: the newest PyJWT reads what it caches.
        `keys._keys, keys._fetched_at = {'keys': [${JSON.stringify(key.jwk)}]}, 0.0`,
        "for now[0] in (3599.0, 3601.0):",
        "    try: print('known', len(keys.fetch_data()['keys']))",
        "    except s.KeysUnavailable: print('unavailable')",
      ]
      const cwd = fileURLToPath(new URL("..", import.meta.url))
      const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" }
      const { stdout } = spawnSync(python ?? "", ["-c", program.join("\n")], { cwd, env, encoding: "utf8" })
      expect(stdout).toBe("known 1\nunavailable\n")
    })

    it("an outage of the backend is 503 and never 401, and no outage for keys that are known", async () => {
      const issuer = endLater(await startIssuer(null), (one) => one.close())
      const api = endLater(await startApi(issuer.url), (one) => one.stop())
      const token = tokenOf(key, issuer.url)
      const { status, headers, body } = await api.me(`Bearer ${token}`)
      expect([status, body]).toEqual([503, { error: "unavailable", retryable: true }])
      expect(headers.get("retry-after")).toBe("5")

      issuer.publish([key])
      expect((await api.me(`Bearer ${token}`)).status).toBe(200)
      issuer.publish(null)
      expect((await api.me(`Bearer ${tokenOf(createKey("second"), issuer.url)}`)).status).toBe(503)
      expect((await api.me(`Bearer ${token}`)).status).toBe(200)
    })

    it("a backend whose keys are secret (HS256) is a fault of the set-up, and no user's", async () => {
      const issuer = endLater(await startIssuer([]), (one) => one.close())
      const api = endLater(await startApi(issuer.url), (one) => one.stop())
      expect((await api.me(`Bearer ${tokenOf(key, issuer.url)}`)).status).toBe(503)
    })
  },
)

it.skipIf(!anyPython)("keys are not taken from where a redirect leads (needs python3)", async () => {
  const issuer = await startIssuer([createKey("first")])
  const redirect = createServer((_, response) => {
    response.writeHead(302, { location: `${issuer.url}/jwks.json` }).end()
  })
  await once(redirect.listen(0, "127.0.0.1"), "listening")
  const { port } = redirect.address() as AddressInfo
  const program = [
    "import sys, types",
    // What the fetch needs of PyJWT, which need not be installed for it.
    "class Client:",
    "    def __init__(self, uri, lifespan): self.uri = uri",
    "    jwk_set_cache = types.SimpleNamespace(put=lambda keys: None)",
    "sys.modules['jwt'] = types.SimpleNamespace(PyJWKClient=Client)",
    "import session_tokens as s",
    `for url in ('${issuer.url}', 'http://127.0.0.1:${port}'):`,
    "    try: print('known', len(s.PublishedKeys(url + '/jwks.json').fetch_data()['keys']))",
    "    except s.KeysUnavailable: print('unavailable')",
  ]
  const child = spawn(anyPython ?? "", ["-c", program.join("\n")], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [said] = await Promise.all([text(child.stdout), once(child, "exit")])
  expect(said).toBe("known 1\nunavailable\n")
  expect(issuer.asked()).toBe(1)
  redirect.close()
  await issuer.close()
})
