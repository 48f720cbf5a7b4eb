import { randomBytes } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { ENVIRONMENT } from "../src/config/environment.js"
import { ConfigurationError, type Fault } from "../src/config/faults.js"
import type { HostedOptions, PkceServerOptions } from "../src/config/options.js"
import { resolveConfig } from "../src/config/resolve.js"
import { SAMPLE_SECRETS } from "../src/config/secrets.js"
import { memoryStore } from "../src/stores/memory.js"

const random = () => randomBytes(32).toString("base64")
const store = { ...memoryStore(), kind: "test" }

function good(): PkceServerOptions {
  return {
    issuer: "https://tenant.example/",
    clientId: "client",
    clientSecret: "client-secret",
    redirectUris: ["com.example.app://callback"],
    secrets: [random()],
    store,
  }
}

/** What is said of options that differ from good ones. `unknown`, because half of the faults are of the wrong type. */
function judge(change: Record<string, unknown>, environment: Record<string, string> = {}) {
  const warnings: string[] = []
  const options = { ...good(), onWarning: (text: string) => void warnings.push(text), ...change }
  let faults: readonly Fault[] = []
  let message = ""
  try {
    const config = resolveConfig(options as PkceServerOptions, environment)
    return { config, warnings, faults, options: [] as string[], message }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    faults = error.faults
    message = error.message
  }
  return { config: undefined, warnings, faults, options: faults.map(({ option }) => option), message }
}

const hosted = (options: HostedOptions) => ({ url: "https://api.example.com/auth", hosted: options })

describe("a configuration without faults", () => {
  it("gets the documented defaults, silently", () => {
    const { config, warnings } = judge({})
    expect(warnings).toEqual([])
    expect(config).toMatchObject({
      url: null,
      basePath: "/auth",
      rateLimit: { perMinute: 10, burst: 20 },
      session: {
        issuer: "pkce",
        audience: "pkce",
        algorithm: "HS256",
        tokenLifetime: 300,
        idleLifetime: 30 * 86_400,
        absoluteLifetime: 90 * 86_400,
      },
      providers: [
        {
          id: "default",
          metadataUrl: "https://tenant.example/.well-known/openid-configuration",
          scope: "openid profile email",
          idTokenAlgorithms: ["RS256"],
          nonceOptional: false,
          maxSkew: 60,
        },
      ],
    })
  })

  it("offers hosted login silently, as long as nobody polls", () => {
    const options = { origins: ["https://app.example"], name: "x".repeat(80), color: "#1a2b3c" }
    const { config, warnings } = judge(hosted({ ...options, poll: false }))
    expect(warnings).toEqual([])
    expect(config?.hosted).toMatchObject({ ...options, deliveries: ["redirect", "webview"] })
  })

  it("takes the audience and the base path from the url", () => {
    const { config } = judge({ url: "https://api.example.com/v1/auth" })
    expect(config).toMatchObject({
      basePath: "/v1/auth",
      session: { audience: "https://api.example.com/v1/auth" },
    })
  })

  it("makes one entry per client id", () => {
    const client = (clientId: string) => ({ clientId, redirectUris: ["com.example.app:/cb"] })
    const { config } = judge({
      issuer: undefined,
      clientId: undefined,
      clientSecret: undefined,
      redirectUris: undefined,
      providers: {
        auth0: {
          issuer: "https://tenant.auth0.com/",
          clients: { ios: client("a"), web: client("b") },
          audience: "https://api",
          organization: "org_1",
          maxAge: 60,
          authorizationParams: { prompt: "login" },
        },
        google: { issuer: "https://accounts.google.com", ...client("c"), clientSecret: "s" },
      },
    })
    expect(config?.providers.map(({ id, clientId }) => [id, clientId])).toEqual([
      ["auth0.ios", "a"],
      ["auth0.web", "b"],
      ["google", "c"],
    ])
    expect(config?.providers[0]?.authorizationParams).toEqual({
      prompt: "login",
      audience: "https://api",
      organization: "org_1",
      max_age: "60",
    })
  })
})

describe("faults", () => {
  it.each<[string, Record<string, unknown>, string]>([
    [
      "no provider",
      { issuer: undefined, clientId: undefined, clientSecret: "x", redirectUris: undefined },
      "issuer",
    ],
    ["an http issuer", { issuer: "http://tenant.example/" }, "issuer"],
    ["http to this machine without leave", { issuer: "http://127.0.0.1:9000" }, "issuer"],
    ["an issuer that is no URL", { issuer: "tenant" }, "issuer"],
    ["an issuer with a query", { issuer: "https://tenant.example/?a=1" }, "issuer"],
    ["no client id", { clientId: undefined }, "clientId"],
    ["a client secret that the environment lacks", { clientSecret: undefined }, "clientSecret"],
    ["no redirect URI", { redirectUris: undefined }, "redirectUris"],
    ["a relative redirect URI", { redirectUris: ["/callback"] }, "redirectUris[0]"],
    ["a fragment", { redirectUris: ["https://app.example/cb#x"] }, "redirectUris[0]"],
    ["an empty fragment", { redirectUris: ["https://app.example/cb#"] }, "redirectUris[0]"],
    ["an http redirect URI", { redirectUris: ["http://app.example/cb"] }, "redirectUris[0]"],
    ["a wildcard redirect URI", { redirectUris: ["https://*.example/cb"] }, "redirectUris[0]"],
    ["a script as redirect URI", { redirectUris: ["javascript:alert(1)"] }, "redirectUris[0]"],
    ["a wildcard origin", { allowedOrigins: ["*"] }, "allowedOrigins[0]"],
    ["the null origin", { allowedOrigins: ["null"] }, "allowedOrigins[0]"],
    ["an origin with a path", { allowedOrigins: ["https://a.example/"] }, "allowedOrigins[0]"],
    ["an origin with a default port", { allowedOrigins: ["https://a.example:443"] }, "allowedOrigins[0]"],
    ["an origin that is two", { allowedOrigins: ["capacitor://a;b"] }, "allowedOrigins[0]"],
    ["an asymmetric algorithm without a url", { session: { algorithm: "EdDSA" } }, "url"],
    [
      "ES256 without a key",
      { url: "https://a.example/x", session: { algorithm: "ES256" } },
      "session.privateKey",
    ],
    ["a claim of the token itself", { session: { claims: ["aud"] } }, "session.claims"],
    ["a token of a day", { session: { tokenLifetime: 86_400 } }, "session.tokenLifetime"],
    ["more skew than the cap", { maxSkew: 301 }, "maxSkew"],
    ["private_key_jwt without a key", { clientAuthentication: "private_key_jwt" }, "privateKey"],
    ["a scope without openid", { scope: "profile" }, "scope"],
    ["E2: alg none", { idTokenAlgorithms: ["none"] }, "idTokenAlgorithms"],
    [
      "metadata of another issuer",
      {
        metadata: {
          issuer: "https://other.example/",
          authorization_endpoint: "https://x",
          token_endpoint: "https://x",
          jwks_uri: "https://x",
        },
      },
      "metadata.issuer",
    ],
    ["a base path that is none", { basePath: "auth/" }, "basePath"],
    ["a wrong type", { redirectUris: "com.example.app://callback" }, "redirectUris"],
    ["a store that is none", { store: {} }, "store"],
  ])("%s", (_, change, option) => {
    expect(judge(change).options).toContain(option)
  })

  it.each(["english", "de_DE", "de,en", "d", "de-", "*", "de-AT-de-AT", " de"])(
    "a language that no browser asks for: hosted.strings %j",
    (tag) => {
      const strings = { [tag]: { app: "x" } }
      expect(judge(hosted({ strings })).options).toEqual([`hosted.strings.${tag}`])
    },
  )

  it.each(["de", "pt-BR", "zh-Hant-TW", "gsw", "DE-at", "es-419", "sl-rozaj-biske"])(
    "a language that one may ask for: hosted.strings.%s",
    (tag) => {
      const strings = { [tag]: { app: "x" } }
      expect(judge(hosted({ strings })).config?.hosted?.strings).toEqual(strings)
    },
  )

  it.each([
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "max_age",
    "STATE",
  ])("A5: authorizationParams.%s is reserved", (name) => {
    expect(judge({ authorizationParams: { [name]: "x" } }).options).toEqual([`authorizationParams.${name}`])
  })

  it.each([
    { pkce: false },
    { usePkce: false },
    { codeChallengeMethod: "plain" },
    { authorizationParams: { code_challenge_method: "plain" } },
  ])("A2: PKCE cannot be turned off by %j", (change) => {
    expect(judge(change).options).toHaveLength(1)
  })

  it("all at once, each with its mend", () => {
    const { faults, message } = judge({
      issuer: "http://x.example",
      clientId: undefined,
      secrets: [undefined],
      typo: 1,
    })
    expect(faults.map(({ option }) => option).sort()).toEqual(["clientId", "issuer", "secrets[0]", "typo"])
    for (const { option, problem, mend } of faults) {
      expect(message).toContain(`${option}: ${problem}`)
      expect(message).toContain(mend)
    }
    expect(message).toContain("openssl rand -base64 32")
  })

  it.each<[string, Record<string, unknown>, string, string]>([
    [
      "an unset variable",
      { clientSecret: "" },
      "clientSecret: is empty: is the environment variable set?",
      "Set it",
    ],
    ["a text for a list", { secrets: random() }, "secrets: is not a list", "[ ... ]"],
    [
      "no true or false",
      { fetchUserinfo: "yes" },
      "fetchUserinfo: is not true or false",
      "Give true or false.",
    ],
    ["a misspelt value", { nonce: "none" }, "nonce: is none of", "required, optional"],
    [
      "milliseconds",
      { session: { tokenLifetime: 300_000 } },
      "session.tokenLifetime: is too big",
      "3600 seconds",
    ],
    ["a long name", hosted({ name: "x".repeat(81) }), "hosted.name: is too long", "80 characters."],
    ["a bare database", { store: {} }, "store: is not a store", "sqliteStore(...)"],
    [
      "the metadata's address",
      { issuer: "https://tenant.example/.well-known/openid-configuration" },
      "issuer: is the address of the metadata",
      "Give the issuer",
    ],
  ])("%s is told in plain words", (_, change, problem, mend) => {
    const { message, faults } = judge(change)
    expect(faults).toHaveLength(1)
    expect(message).toContain(problem)
    expect(message).toContain(mend)
  })

  it("of a first start with nothing set, each with its variable", () => {
    let message = ""
    try {
      resolveConfig({ store }, {})
    } catch (error) {
      message = String(error)
    }
    for (const variable of ["PKCE_ISSUER", "PKCE_CLIENT_ID", "PKCE_REDIRECT_URIS", "PKCE_SECRET"])
      expect(message).toContain(`(environment variable: ${variable})`)
    expect(judge({ clientId: undefined }).message).not.toContain("PKCE_")
  })

  it("an empty value hides no other fault", () => {
    expect(judge({ clientSecret: "", secrets: [undefined] }).options.sort()).toEqual([
      "clientSecret",
      "secrets[0]",
    ])
  })

  it("are printed once: Node shows the own members of an error below its message", () => {
    const error = new ConfigurationError([{ option: "url", problem: "is odd", mend: "Mend it." }])
    expect(inspect(error).split("is odd")).toHaveLength(2)
  })

  it.each([
    [{ redirectURIs: [] }, "redirectURIs", "redirectUris"],
    [{ isuer: "x" }, "isuer", "issuer"],
    [{ frobnicate: 1 }, "frobnicate", null],
  ])("an unknown option: %j", (change, option, near) => {
    const fault = judge(change).faults.find((candidate) => candidate.option === option)
    expect(fault?.mend).toBe(near ? `Did you mean ${near}?` : "Remove it.")
  })

  it("never repeats a value", () => {
    const change = {
      secrets: ["CANARY-short", { secret: "CANARY-short-2" }],
      clientSecret: { secret: "CANARY-object" },
      issuer: "http://user:CANARY-password@tenant.example",
      url: "ftp://CANARY",
      redirectUris: ["CANARY"],
    }
    expect(judge(change).message).not.toContain("CANARY")
    const { clientSecret: _, ...shaped } = change
    const { message, faults } = judge(shaped)
    expect(faults.length).toBeGreaterThan(4)
    expect(message).not.toContain("CANARY")
  })
})

describe("F9: weak secrets are refused at start", () => {
  const sample = SAMPLE_SECRETS[0] ?? ""
  it.each([
    ["none", []],
    ["undefined", [undefined]],
    ["an empty text", [""]],
    ["an object without one", [{ secret: undefined }]],
    ["31 bytes", [random().slice(0, 31)]],
    ["32 hexadecimal digits, which are 16 bytes", [randomBytes(16).toString("hex")]],
    ["15 distinct bytes", ["abcdefghijklmno".repeat(4)]],
    ["the sample of the documentation", [sample]],
    ["a word", [`changeme-${"0123456789abcdefghij-XYZ".repeat(2)}`]],
    ["only one for the future", [{ secret: random(), signFrom: 4_000_000_000 }]],
  ])("%s", (_, secrets) => {
    const { faults } = judge({ secrets })
    expect(faults.map(({ option }) => option.slice(0, 7))).toEqual(["secrets"])
  })

  it("the same value twice, or the client's secret again", () => {
    const secret = random()
    expect(judge({ secrets: [secret, secret] }).options).toEqual(["secrets[1]"])
    expect(judge({ secrets: [secret], clientSecret: secret }).options).toEqual(["secrets[0]"])
  })

  it("a hundred strong ones of each usual spelling are taken", () => {
    for (let i = 0; i < 100; i++) {
      for (const encoding of ["base64", "base64url", "hex"] as const)
        expect(judge({ secrets: [randomBytes(32).toString(encoding)] }).faults).toEqual([])
    }
  })
})

describe("production", () => {
  const NODE_ENV = "production"
  it.each<[string, Record<string, unknown>, Record<string, string>, string]>([
    ["the memory store", { store: undefined }, {}, "store"],
    ["loopback http", { allowLoopbackHttp: true }, {}, "allowLoopbackHttp"],
    [
      "D11: TLS without certificates",
      {},
      { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      "NODE_TLS_REJECT_UNAUTHORIZED",
    ],
  ])("%s is refused there, and a warning elsewhere", (_, change, environment, option) => {
    expect(judge(change, { ...environment, NODE_ENV }).options).toEqual([option])
    const elsewhere = judge(change, environment)
    expect(elsewhere.faults).toEqual([])
    expect(elsewhere.warnings).toHaveLength(1)
    expect(elsewhere.warnings[0]).toContain(option)
  })

  it("the memory store is admitted by name", () => {
    expect(judge({ store: undefined, allowMemoryStore: true }, { NODE_ENV }).faults).toEqual([])
  })
})

describe("warnings", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["B8: a custom scheme without a dot", { redirectUris: ["myapp://cb"] }, "redirectUris[0]"],
    ["an optional nonce", { nonce: "optional" }, "nonce"],
    ["no rate limit", { rateLimit: false }, "rateLimit"],
    ["a private provider", { allowPrivateIdp: true }, "allowPrivateIdp"],
    ["RFC 8628 section 5.4: hosted login by poll", hosted({ poll: true }), "docs/hosted-login.md"],
  ])("%s", (_, change, text) => {
    const { warnings, faults } = judge(change)
    expect(faults).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(text)
  })
})

describe("the environment", () => {
  const environment = {
    PKCE_ISSUER: "https://tenant.example/",
    PKCE_CLIENT_ID: "client",
    PKCE_CLIENT_SECRET: "client-secret",
    PKCE_REDIRECT_URIS: "com.example.app://callback, https://app.example/cb",
    PKCE_SECRETS: `${random()} ${random()}`,
    PKCE_URL: "https://api.example.com/auth",
    PKCE_ALLOWED_ORIGINS: "https://a.example https://b.example",
    PKCE_SESSION_ALGORITHM: "EdDSA",
    PKCE_SESSION_TOKEN_LIFETIME: "120",
    PKCE_FETCH_USERINFO: "true",
    PKCE_ALLOW_MEMORY_STORE: "true",
    NODE_ENV: "production",
  }

  it("is enough by itself", () => {
    expect(resolveConfig({ onWarning: () => undefined }, environment)).toMatchObject({
      url: "https://api.example.com/auth",
      allowedOrigins: ["https://a.example", "https://b.example"],
      session: { algorithm: "EdDSA", tokenLifetime: 120 },
      secrets: [{}, {}],
      providers: [
        {
          clientId: "client",
          redirectUris: ["com.example.app://callback", "https://app.example/cb"],
          fetchUserinfo: true,
        },
      ],
    })
  })

  it("gives what the options leave out, unless they name a provider", () => {
    expect(resolveConfig({ store, basePath: "/x" }, environment)).toMatchObject({
      basePath: "/x",
      providers: [{ clientId: "client" }],
    })
    expect(resolveConfig(good(), environment).url).toBeNull()
  })

  it("offers hosted login where PKCE_HOSTED says so, and heeds nothing of it elsewhere", () => {
    const quiet = { onWarning: () => undefined }
    const hosted = {
      PKCE_HOSTED_POLL: "true",
      PKCE_HOSTED_ORIGINS: "https://a.example, https://b.example",
      PKCE_HOSTED_NAME: "Our Team",
      PKCE_HOSTED_COLOR: "#1a2b3c",
    }
    const config = resolveConfig(quiet, { ...environment, ...hosted, PKCE_HOSTED: "true" })
    expect(config.hosted).toMatchObject({
      url: "https://api.example.com/auth",
      deliveries: ["redirect", "webview", "poll"],
      origins: ["https://a.example", "https://b.example"],
      name: "Our Team",
      color: "#1a2b3c",
    })
    const alone = resolveConfig(quiet, { ...environment, PKCE_HOSTED: "1" }).hosted
    expect(alone).toMatchObject({ deliveries: ["redirect", "webview"], origins: [], name: null })
    expect(resolveConfig(quiet, { ...environment, ...hosted, PKCE_HOSTED: "false" }).hosted).toBeNull()
    const faultsOf = (change: object) => {
      try {
        resolveConfig(quiet, { ...environment, ...change })
      } catch (error) {
        return (error as ConfigurationError).faults.map(({ option, problem }) => `${option} ${problem}`)
      }
      return []
    }
    expect(faultsOf(hosted)).toEqual(Object.keys(hosted).map((name) => `${name} stands without PKCE_HOSTED`))
    expect(faultsOf({ PKCE_HOSTED: "yes" })).toEqual(["PKCE_HOSTED is not true or false"])
    expect(faultsOf({ PKCE_HOSTED: "true", PKCE_HOSTED_COLOR: "red" })).toEqual([
      "hosted.color is not a colour: write it as #1a2b3c",
    ])
  })

  it.each([
    ["5/7", { perMinute: 5, burst: 7 }],
    ["false", null],
    ["0", "rateLimit: is neither false nor"],
    ["5", "rateLimit: is neither false nor"],
    ["5/0", "rateLimit.burst: is too small"],
  ])("reads the rate limit %s", (PKCE_RATE_LIMIT, expected) => {
    const resolved = () => resolveConfig({ onWarning: () => undefined }, { ...environment, PKCE_RATE_LIMIT })
    if (typeof expected === "string") expect(resolved).toThrow(expected)
    else expect(resolved().rateLimit).toEqual(expected)
  })

  it("has its faults listed like any other", () => {
    const broken = { PKCE_ISSUER: "x", PKCE_FETCH_USERINFO: "maybe", PKCE_SESSION_TOKEN_LIFETIME: "5m" }
    expect(() => resolveConfig(undefined, broken)).toThrow(
      /fetchUserinfo[\s\S]*session\.tokenLifetime|session\.tokenLifetime[\s\S]*fetchUserinfo/,
    )
    const twice = { ...environment, PKCE_SECRET: random() }
    expect(() => resolveConfig(undefined, twice)).toThrow("PKCE_SECRETS: stands beside PKCE_SECRET")
    expect(() => resolveConfig(undefined, {})).toThrow(ConfigurationError)
  })

  it("every variable of the table reaches an option that the shape check knows", () => {
    for (const [name, [option]] of Object.entries(ENVIRONMENT)) {
      let thrown: unknown
      try {
        resolveConfig({ onWarning: () => undefined }, { PKCE_HOSTED: "true", [name]: "x" })
      } catch (error) {
        thrown = error
      }
      expect(thrown).toBeInstanceOf(ConfigurationError)
      const unknown = (thrown as ConfigurationError).faults.filter(
        ({ problem }) => problem === "is not an option",
      )
      expect([name, option, unknown]).toEqual([name, option, []])
    }
  })
})
