import { createHash, randomBytes } from "node:crypto"
import { beforeEach, describe, expect, it } from "vitest"
import { ProviderError } from "../../errors.js"
import type { PkceEventInput } from "../../events.js"
import type { Identity, Provider } from "../../provider/types.js"
import { createSessionLine } from "../../session/line.js"
import { createSessionTokens } from "../../session/tokens.js"
import type { Store } from "../../stores/contract.js"
import { memoryStore } from "../../stores/memory.js"
import { createKeyRing } from "../../vault/keyring.js"
import { createProviderGrants } from "../../vault/provider-grants.js"
import { createVault } from "../../vault/seal.js"
import type { Rooms } from "../rooms.js"
import { createExchange } from "./exchange.js"

const random = () => randomBytes(32).toString("base64url")
const session: Rooms["config"]["session"] = {
  issuer: "pkce",
  audience: "pkce",
  algorithm: "HS256",
  privateKey: null,
  claims: [],
  tokenLifetime: 300,
  idleLifetime: 3600,
  absoluteLifetime: 7200,
}
const identity = (): Identity => ({
  issuer: "https://idp.example/",
  subject: "u1",
  idpSid: null,
  issuedAt: 0,
  profile: { email: "a@example.com" },
  tokens: { access_token: "at", token_type: "Bearer", id_token: "a.b.c" },
})

/** Seconds of the store's clock, and of the process's; they need not agree. */
let storeTime: number
let processTime: number
let store: Store
let calls: string[]
let redeem: () => Promise<Identity>
let events: PkceEventInput[]
let rooms: Rooms
let announcesLogout: boolean

beforeEach(() => {
  storeTime = processTime = 1_800_000_000
  calls = []
  events = []
  announcesLogout = false
  redeem = async () => identity()
  const inner = memoryStore({ now: () => storeTime * 1000 })
  store = new Proxy(inner, {
    get: (target, name: keyof Store) => {
      const member = target[name]
      if (typeof member !== "function") return member
      return (...args: unknown[]) => {
        calls.push(name)
        return Reflect.apply(member, target, args)
      }
    },
  })
  const ring = createKeyRing([{ secret: random(), signFrom: 0 }], [])
  const emit = (event: PkceEventInput) => void events.push(event)
  const provider: Provider = {
    id: "p",
    issuer: "https://idp.example/",
    clientId: "c",
    nonceOptional: true,
    allowsRedirectUri: () => true,
    config: () => Promise.reject(new Error("not used")),
    authorizationUrl: () => Promise.reject(new Error("not used")),
    checkCallbackIssuer: async () => undefined,
    redeem: () => {
      calls.push("redeem")
      return redeem()
    },
    refresh: () => Promise.reject(new Error("not used")),
    userinfo: () => Promise.reject(new Error("not used")),
    revoke: async () => undefined,
    verifyLogoutToken: () => Promise.reject(new Error("not used")),
    announcesLogout: async () => announcesLogout,
    logoutUrl: async () => null,
  }
  const providers = { list: [provider], get: () => provider }
  const vault = createVault(ring)
  const endSession = (sid: string, reason: string) => store.revoke(sid, reason)
  rooms = {
    config: { session } as Rooms["config"],
    providers,
    ring,
    vault,
    grants: createProviderGrants({
      ...{ store, vault, providers, emit, endSession, onProviderGrantRevoked: "keep" },
      now: () => processTime,
      pause: async () => undefined,
    }),
    endSession,
    tokens: createSessionTokens({ session, ring, now: () => storeTime }),
    line: createSessionLine({ ring, store, emit, idleSeconds: 3600, onReuse: () => undefined }),
    store,
    endLater: () => undefined,
    emit,
    fingerprint: async () => "fp",
    now: () => processTime,
  }
})

const login = () => ({
  code: random(),
  code_verifier: random(),
  redirect_uri: "com.example.app://callback",
  session_challenge: createHash("sha256").update(random()).digest("base64url"),
})
const count = (name: string) => calls.filter((call) => call === name).length
/** A process that waits by moving the store's clock on. */
const waiting = () =>
  createExchange(rooms, async (milliseconds) => {
    calls.push("pause")
    storeTime += milliseconds / 1000
  })
const never = () => new Promise<never>(() => undefined)
const started = () => new Promise((resolve) => setTimeout(resolve, 20))
const code = (expected: string) => expect.objectContaining({ code: expected })

describe("the exchange never sticks", () => {
  it("C4: while another process is at it, a repeat waits ten seconds and is exchange_in_progress", async () => {
    redeem = never
    const input = login()
    void createExchange(rooms)(input)
    await started()
    await expect(waiting()(input)).rejects.toEqual(code("exchange_in_progress"))
    expect(storeTime - 1_800_000_000).toBeGreaterThanOrEqual(10)
    expect(storeTime - 1_800_000_000).toBeLessThan(12)
    expect(count("redeem")).toBe(1)
  })

  it("C4: a claim whose process died is exchange_interrupted once its deadline has passed", async () => {
    redeem = never
    const input = login()
    void createExchange(rooms)(input)
    await started()
    storeTime += 15
    await expect(waiting()(input)).rejects.toEqual(code("exchange_interrupted"))
    expect(storeTime - 1_800_000_000).toBeGreaterThan(20)
    expect(count("redeem")).toBe(1)
  })

  it("a process that wakes after its deadline creates no session, so that answer stays true", async () => {
    let wake: (value: Identity) => void = () => undefined
    redeem = () =>
      new Promise((resolve) => {
        wake = resolve
      })
    const sleeper = createExchange(rooms)(login())
    await started()
    storeTime += 21
    wake(identity())
    await expect(sleeper).rejects.toEqual(code("exchange_interrupted"))
    expect(events.map(({ type }) => type)).not.toContain("auth.exchange.succeeded")
  })

  it("C4: a repeat that waits gets the session as soon as it is there", async () => {
    let wake: (value: Identity) => void = () => undefined
    redeem = () =>
      new Promise((resolve) => {
        wake = resolve
      })
    const input = login()
    const first = createExchange(rooms)(input)
    await started()
    const second = createExchange(rooms, async () => {
      wake(identity())
      await started()
    })(input)
    expect((await second).refresh_token).toBe((await first).refresh_token)
    expect(count("redeem")).toBe(1)
  })

  it("a failure before the first byte releases the code: the same request may come again", async () => {
    const input = login()
    redeem = () => Promise.reject(new ProviderError("idp_unavailable", false))
    await expect(createExchange(rooms)(input)).rejects.toEqual(code("idp_unavailable"))
    redeem = async () => identity()
    expect((await createExchange(rooms)(input)).session_token).toBeDefined()
    expect(count("redeem")).toBe(2)
  })

  it.each([
    ["a time-out", new ProviderError("idp_timeout", true), "exchange_interrupted", "exchange_interrupted"],
    [
      "a bad answer",
      new ProviderError("idp_bad_response", true),
      "exchange_interrupted",
      "exchange_interrupted",
    ],
    [
      "a refusal",
      new ProviderError("login_failed", true, { reason: "invalid_grant" }),
      "login_failed",
      "login_failed",
    ],
  ])("C2: after %s the provider never sees the code again", async (_, error, first, again) => {
    const input = login()
    redeem = () => Promise.reject(error)
    await expect(createExchange(rooms)(input)).rejects.toEqual(code(first))
    redeem = async () => identity()
    await expect(createExchange(rooms)(input)).rejects.toEqual(code(again))
    expect(count("redeem")).toBe(1)
    expect(count("create")).toBe(0)
  })

  it("F5: a repeat after 30 s brings no session token; C3: it is still the same line", async () => {
    const input = login()
    const first = await createExchange(rooms)(input)
    storeTime += 30
    expect((await createExchange(rooms)(input)).session_token).toBeDefined()
    storeTime += 1
    const late = await createExchange(rooms)(input)
    expect(late.session_token).toBeUndefined()
    expect(late.expires_in).toBeUndefined()
    expect(late.refresh_token).toBe(first.refresh_token)
  })

  it("without a session_challenge a repeat after 30 s is exchange_interrupted", async () => {
    const { session_challenge: _, ...input } = login()
    const first = await createExchange(rooms)(input)
    storeTime += 30
    expect((await createExchange(rooms)(input)).session_id).toBe(first.session_id)
    storeTime += 1
    await expect(createExchange(rooms)(input)).rejects.toEqual(code("exchange_interrupted"))
  })
})

describe("the deadline is judged by the store's clock", () => {
  it("costs two calls of the store where the clocks agree", async () => {
    await createExchange(rooms)(login())
    expect(calls).toEqual(["claim", "redeem", "create"])
  })

  it.each([-3600, 3600])(
    "costs one more at the first login of a process that is off by %i s",
    async (off) => {
      processTime += off
      const exchange = createExchange(rooms)
      expect((await exchange(login())).session_token).toBeDefined()
      expect(calls).toEqual(["claim", "settle", "redeem", "create"])
      calls = []
      expect((await exchange(login())).session_token).toBeDefined()
      expect(calls).toEqual(["claim", "redeem", "create"])
    },
  )
})

it("G1: neither code, verifier nor a token is in what the store is given", async () => {
  const input = login()
  const given: unknown[] = []
  const { claim, create } = store
  Object.assign(store, {
    claim: (...args: Parameters<Store["claim"]>) => {
      given.push(args)
      return claim(...args)
    },
    create: (...args: Parameters<Store["create"]>) => {
      given.push(args)
      return create(...args)
    },
  })
  const grant = await createExchange(rooms)(input)
  const dump = JSON.stringify(given, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  )
  expect(dump).toContain(grant.session_id)
  const secrets = [
    input.code,
    input.code_verifier,
    grant.session_token,
    grant.refresh_token,
    "a@example.com",
    "a.b.c",
  ]
  for (const secret of secrets) expect(dump).not.toContain(String(secret))
})
