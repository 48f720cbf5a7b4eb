import { isTerminal, PROTOCOL_VERSION } from "@pkce/protocol"
import type { PkceClientOptions } from "./client.js"
import { PkceError } from "./errors.js"
import type { LoginFlow } from "./login/flow.js"
import { createProviderList } from "./login/provider.js"
import { randomText } from "./pkce/crypto.js"
import { drawPair } from "./pkce/pair.js"
import { originOf } from "./pkce/url.js"
import { isEmbedded } from "./platforms/embedded.js"
import type { ClockPort, CryptoPort, Platform } from "./platforms/ports.js"
import { baseOf } from "./session/base.js"
import { systemClock } from "./session/clock.js"
import { createEvents } from "./session/events.js"
import { createRecordStore } from "./session/record.js"
import { createSessionState, type SessionState } from "./session/state.js"
import { createWire, type Wire } from "./session/wire.js"

/** One thing that was looked at. */
export interface DiagnosisCheck {
  name: "random" | "browser" | "storage" | "server" | "redirect" | "hosted" | "session"
  ok: boolean
  /** A sentence for the developer. It holds no secret, and nothing of the user. */
  detail: string
}

/** What {@link diagnose} found. */
export interface Diagnosis {
  ok: boolean
  checks: DiagnosisCheck[]
  /** All of it as text, to paste into an issue. */
  text: string
}

interface Deps {
  platform: Platform
  clock: ClockPort
  crypto: CryptoPort
  wire: Wire
  state: SessionState
  /** An id where the app names one; else the first that the backend names. */
  provider: string | undefined
}

// SHA-256 of the three letters "abc" (FIPS 180-4).
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("")

type Finding = Omit<DiagnosisCheck, "name">
const good = (detail: string): Finding => ({ ok: true, detail })
const bad = (detail: string): Finding => ({ ok: false, detail })

async function checkRandom({ crypto }: Deps): Promise<Finding> {
  const [one, other] = [randomText(crypto), randomText(crypto)]
  if (one === other) return bad("it gives the same twice")
  const digest = hex(await crypto.sha256(Uint8Array.of(97, 98, 99)))
  if (digest !== ABC) return bad("SHA-256 is wrong")
  return good("a secure generator and SHA-256")
}

/** A6: on the web the page itself becomes the provider's; the other platforms open another program for it. */
async function checkBrowser({ platform }: Deps): Promise<Finding> {
  if (platform.name === "web" && isEmbedded())
    return bad("this page is in a web view inside an app, which could read the password; see refuseEmbedded")
  return good("no web view inside an app, as far as can be told")
}

/** Writes what is there once more, or, where there is nothing, something that no version reads, and takes it away again. */
async function checkStorage({ platform: { storage } }: Deps): Promise<Finding> {
  let before: string | null = null
  await storage.update((current) => {
    before = current
    return current ?? "{}"
  })
  const after = await storage.read()
  if (before === null) await storage.update((current) => (current === "{}" ? null : undefined))
  if (after === null) return bad("what was written is not there")
  return good(before === null ? "takes a record" : "has a record")
}

async function checkServer({ wire, provider }: Deps): Promise<Finding> {
  const { ok, code, body } = await wire.send({ method: "GET", path: "/config" })
  if (!ok)
    return bad(code ? `it answers ${code}` : "no answer of the handler: is it mounted there, and reachable?")
  const { providers = [], protocol } = body as { providers?: { id: string }[]; protocol?: unknown }
  if (protocol !== PROTOCOL_VERSION) return bad(`it speaks version ${String(protocol)}`)
  const ids = providers.map(({ id }) => id)
  if (provider !== undefined && !ids.includes(provider))
    return bad(`it has no provider "${provider}"; it has ${ids.join(", ")}`)
  return good(`answers, with ${ids.length} provider(s)`)
}

const advice = (uri: string): string => {
  const isCustom = originOf(uri) === null
  return isCustom && !/^[a-z][a-z0-9+-]*\.[a-z0-9+.-]+:/i.test(uri)
    ? "; its scheme has no dot, so another app may have it by accident"
    : ""
}

/** Asks by an exchange that can only fail: its issuer is nobody's, so the provider is never called. */
async function checkRedirect(uri: string, { wire, crypto, provider }: Deps): Promise<Finding> {
  const { body: config } = await wire.send({ method: "GET", path: "/config" })
  const [first] = (config.providers ?? []) as { id: string }[]
  const { code } = await wire.send({
    method: "POST",
    path: "/exchange",
    body: {
      provider: provider ?? first?.id,
      code: "diagnose",
      code_verifier: randomText(crypto),
      nonce: randomText(crypto),
      redirect_uri: uri,
      iss: "https://diagnose.invalid",
    },
  })
  if (code === "redirect_uri_not_allowed")
    return bad(`${uri} is not in the backend's redirectUris, byte for byte`)
  if (code !== "login_failed") return bad(`${uri} could not be asked about (${code ?? "no answer"})`)
  return good(`${uri} is registered at the backend${advice(uri)}`)
}

/** What a start of a hosted login that failed has to do with the configuration. */
const HINTS: Partial<Record<string, string>> = {
  not_found: "the backend hosts no login; see its option `hosted`",
  invalid_request: "the backend does not offer this delivery, or has several providers and none is named",
  redirect_uri_not_allowed: "it is not in the backend's redirectUris, byte for byte",
  issuer_mismatch: "the backend's `url` is at another origin than this client's `server`",
}

/** Asks by a start that nobody goes on with. It grants nothing, and is forgotten after ten minutes. */
async function checkHosted(flow: LoginFlow, redirectUri: string, deps: Deps): Promise<Finding> {
  const { crypto, provider } = deps
  const at = redirectUri || (flow.login ? "poll" : "its pages' messages")
  try {
    const { verifier, challenge } = await drawPair(crypto)
    const request = { code_verifier: verifier }
    const state = randomText(crypto)
    await flow.begin({ options: {}, provider, redirectUri, state, challenge, device: {}, request })
    return good(`the backend hosts the login, by ${at}${redirectUri && advice(redirectUri)}`)
  } catch (error) {
    if (!(error instanceof PkceError)) throw error
    const origin = flow.browser && error.code === "redirect_uri_not_allowed" && deps.platform.origin?.()
    const hint = origin ? `${origin} is not in the backend's hosted.origins` : HINTS[error.code]
    return bad(`by ${at}: ${error.code}${hint ? `; ${hint}` : ""}`)
  }
}

async function checkSession({ state, wire }: Deps): Promise<Finding> {
  const session = await state.load()
  if (!session) return good("nobody is signed in")
  const bearer = state.token()
  if (!bearer) return good("signed in; the session token is due")
  const { ok, code } = await wire.send({ method: "GET", path: "/session", bearer })
  if (ok) return good("signed in, and the backend knows it")
  return bad(isTerminal(code) ? `the backend says ${code}` : "signed in; the backend could not be asked")
}

/**
 * For the developer: whether the backend answers and knows the redirect URI, the storage keeps what it is given, there is a
 * source of randomness, and the page is in no app's web view; of a hosted login, whether the backend offers it by this delivery. It
 * takes what `createPkceClient` takes, never rejects, and changes nothing. It costs one exchange that fails, or one start that
 * nobody goes on with, which the backend counts. An entry of its own, so that an app which never asks does
 * not carry it.
 *
 * @example
 * ```ts
 * const options = { server, redirectUri, platform: web() }
 * export const auth = createPkceClient(options)
 * console.log((await diagnose(options)).text)
 * ```
 */
export async function diagnose(options: PkceClientOptions): Promise<Diagnosis> {
  const { platform, redirectUri, provider } = options
  const checks: DiagnosisCheck[] = []
  async function check(name: DiagnosisCheck["name"], work: () => Promise<Finding>): Promise<void> {
    // What a module throws may quote anything: only a code of ours is shown.
    const found = await work().catch((thrown) => bad(thrown instanceof PkceError ? thrown.code : "it threw"))
    checks.push({ name, ...found })
  }
  const clock = platform.clock ?? systemClock
  const http: typeof fetch = platform.http ?? ((input, init) => globalThis.fetch(input, init))
  // Asked for inside a check, so that a wrong `server` is a finding.
  const wire = createWire(http, clock, () => baseOf(options.server, platform)())
  const record = createRecordStore(platform.storage)
  const state = createSessionState(record, clock, createEvents())
  const deps: Deps = { platform, clock, crypto: platform.crypto, wire, state, provider }

  await check("random", () => checkRandom(deps))
  await check("browser", () => checkBrowser(deps))
  await check("storage", () => checkStorage(deps))
  await check("server", () => checkServer(deps))
  const redirectUris = typeof redirectUri === "string" ? [redirectUri] : Object.values(redirectUri ?? {})
  const flow = options.flow?.(
    { ...deps, clock, record, redirectUris },
    createProviderList(deps, options.providers),
  )
  const needed = flow?.login || flow?.browser ? [""] : redirectUris
  if (needed.length === 0)
    checks.push({ name: "redirect", ...bad("none is configured, and this login needs one") })
  for (const uri of needed)
    await (flow
      ? check("hosted", () => checkHosted(flow, uri, deps))
      : check("redirect", () => checkRedirect(uri, deps)))
  await check("session", () => checkSession(deps))
  const lines = checks.map(({ name, ok, detail }) => `${ok ? "ok  " : "FAIL"} ${name}: ${detail}`)
  return {
    ok: checks.every(({ ok }) => ok),
    checks,
    text: [`@pkce/client on ${platform.name}`, ...lines].join("\n"),
  }
}
