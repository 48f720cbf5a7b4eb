import { randomBytes } from "node:crypto"
import { PkceError, ProviderError } from "../../src/errors.js"
import type { PkceEventInput } from "../../src/events.js"
import { guardStore } from "../../src/http/guarded-store.js"
import type { Provider, ProviderTokens, RefreshInput, RefreshOutcome } from "../../src/provider/types.js"
import type { Store } from "../../src/stores/contract.js"
import { memoryStore } from "../../src/stores/memory.js"
import { newSession } from "../../src/testing/conformance/case.js"
import { createBackgroundRefresh } from "../../src/vault/background-refresh.js"
import { createKeyRing } from "../../src/vault/keyring.js"
import { createProviderGrants, type ProviderGrants } from "../../src/vault/provider-grants.js"
import {
  dueSeconds,
  grantContext,
  profileContext,
  type SealedTokens,
} from "../../src/vault/provider-tokens.js"
import { createVault } from "../../src/vault/seal.js"

/** How the provider treats a refresh token that was used before. */
export type Rotation = "none" | "strict"

export interface GrantRig {
  /** Seconds; of the store, of the provider and of every process. */
  clock: { seconds: number }
  store: Store
  vault: ReturnType<typeof createVault>
  events: PkceEventInput[]
  /** What the provider was asked, oldest first. */
  asked: RefreshInput[]
  revoked: string[]
  /** What the keys that seal fail with, while there is something. */
  unready: PkceError | null
  /** Access tokens that userinfo does not take. */
  refused: Set<string>
  ended: { sid: string; reason: string }[]
  /** Steps in for the provider's next answers; each is used once. */
  answers: ((input: RefreshInput, usual: () => RefreshOutcome) => Promise<RefreshOutcome> | RefreshOutcome)[]
  /** A process of the fleet. `onPause` is called with the number of pauses so far. */
  process(options?: {
    store?: Store
    onProviderGrantRevoked?: "keep" | "revoke-session"
    onPause?: (count: number) => unknown
  }): GrantProcess
  /** A session whose tokens are `left` seconds away from their end. */
  login(left?: number, tokens?: Partial<SealedTokens>): Promise<string>
  sealed(sid: string): Promise<SealedTokens>
}

export interface GrantProcess extends ProviderGrants {
  background: ReturnType<typeof createBackgroundRefresh>
  /** Milliseconds that it waited for. */
  pauses: number[]
}

/** Seconds from the beginning at which another secret seals. */
export const ROTATION = 10 * 86_400

const ISSUER = "https://issuer.example/"
const random = () => randomBytes(16).toString("base64url")

/** Processes over one store, and a provider whose every answer the test can change. */
export function createGrantRig(rotation: Rotation = "strict"): GrantRig {
  const clock = { seconds: 1_900_000_000 }
  const store = memoryStore({ now: () => clock.seconds * 1000 })
  const events: PkceEventInput[] = []
  const emit = (event: PkceEventInput) => void events.push(event)
  const spent = new Set<string>()
  const rig: Pick<GrantRig, "asked" | "revoked" | "ended" | "answers" | "refused" | "unready"> = {
    unready: null,
    refused: new Set(),
    asked: [],
    revoked: [],
    ended: [],
    answers: [],
  }

  const newer = { secret: randomBytes(32).toString("base64"), signFrom: clock.seconds + ROTATION }
  const older = { secret: randomBytes(32).toString("base64"), signFrom: 0 }
  const ring = createKeyRing([newer, older], [], () => clock.seconds)
  const sealing = createVault(ring)
  const vault = {
    ...sealing,
    ready: async () => (rig.unready ? Promise.reject(rig.unready) : sealing.ready()),
  }

  function usual({ tokens, scope, audience }: RefreshInput): RefreshOutcome {
    const old = tokens.refresh_token ?? ""
    if (spent.has(old)) return { outcome: "refused" }
    if (rotation === "strict") spent.add(old)
    const next: ProviderTokens = {
      ...tokens,
      access_token: `at-${scope ?? ""}${audience ?? ""}-${random()}`,
      expires_at: clock.seconds + 3600,
      ...(rotation === "strict" && { refresh_token: `rt-${random()}` }),
    }
    return { outcome: "refreshed", tokens: next }
  }

  const provider = {
    id: "auth0",
    issuer: ISSUER,
    async refresh(input: RefreshInput) {
      rig.asked.push(input)
      const answer = rig.answers.shift()
      return answer ? answer(input, () => usual(input)) : usual(input)
    },
    async userinfo(accessToken: string, subject: string) {
      // RFC 6750 section 3.1: the provider has ended it before its time.
      if (rig.refused.has(accessToken))
        throw new ProviderError("idp_bad_response", false, { reason: "userinfo_unauthorized" })
      return { sub: subject, accessToken }
    },
    async revoke(token: string) {
      rig.revoked.push(token)
    },
  } as Partial<Provider> as Provider

  const parts: Omit<GrantRig, keyof typeof rig> = {
    clock,
    store,
    vault,
    events,
    process(options = {}) {
      const own = guardStore(options.store ?? store, emit)
      const pauses: number[] = []
      const grants = createProviderGrants({
        store: own,
        vault,
        providers: { get: (id) => (id === "auth0" ? provider : undefined) },
        emit,
        async endSession(sid, reason) {
          rig.ended.push({ sid, reason })
          return own.revoke(sid, reason)
        },
        onProviderGrantRevoked: options.onProviderGrantRevoked ?? "keep",
        now: () => clock.seconds,
        async pause(milliseconds) {
          pauses.push(milliseconds)
          options.onPause?.(pauses.length)
          await new Promise((resolve) => setImmediate(resolve))
        },
      })
      return { ...grants, pauses, background: createBackgroundRefresh(own, grants) }
    },
    async login(left = 0, overrides = {}) {
      const session = newSession({ provider: "auth0", idpIss: ISSUER })
      const tokens: SealedTokens = {
        access_token: `at-${random()}`,
        token_type: "Bearer",
        id_token: "a.b.c",
        refresh_token: `rt-${random()}`,
        // At login, an hour ago.
        obtained_at: clock.seconds - 3600,
        expires_at: clock.seconds + left,
        ...overrides,
      }
      await store.create({
        ...session,
        grant: await vault.seal(tokens, grantContext(session)),
        profile: await vault.seal({ name: "Ada" }, profileContext(session)),
        grantDueSeconds: dueSeconds(tokens, clock.seconds),
      })
      return session.sid
    },
    async sealed(sid) {
      const { row } = await store.find(sid)
      if (!row?.grant) throw new Error("no grant in the row")
      return (await vault.open(row.grant, grantContext(row))) as SealedTokens
    },
  }
  return Object.assign(rig, parts)
}

/** The provider had the request, or may have had it, and no answer came. */
export const lost = (): never => {
  throw new ProviderError("idp_timeout", true, { reason: "timeout" })
}

/** The request never left. */
export const unreachable = (): never => {
  throw new ProviderError("idp_unavailable", false, { reason: "connect" })
}

/** `code reason` of what a promise rejects with. */
export const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (thrown: unknown) => (thrown instanceof PkceError ? `${thrown.code} ${thrown.reason}` : String(thrown)),
  )

/** What a test opens when it likes. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
