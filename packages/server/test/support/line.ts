import { createHash, randomBytes } from "node:crypto"
import type { PkceEventInput } from "../../src/events.js"
import { guardStore } from "../../src/http/guarded-store.js"
import { createSessionLine } from "../../src/session/line.js"
import type { SessionLine, Step } from "../../src/session/types.js"
import type { SessionRow, Store } from "../../src/stores/contract.js"
import { memoryStore } from "../../src/stores/memory.js"
import { createKeyRing } from "../../src/vault/keyring.js"

export const DAY = 86_400
export const SECRETS = ["one", "two", "three"].map((name) =>
  createHash("sha256").update(`a secret for tests: ${name}`).digest("base64url"),
)
export const newVerifier = (): string => randomBytes(32).toString("base64url")
export const s256 = (verifier: string): string => createHash("sha256").update(verifier).digest("base64url")

export type Request = Parameters<SessionLine["refresh"]>[0]

/** The client's record: one durable value. `pending` is the verifier of the next generation, drawn before it is sent. */
export interface Holder {
  sid: string
  token: string
  verifier: string
  pending: string | null
  /** The row's part of the line as it was at login, to play a session again on another store. */
  origin: { cur: Uint8Array; history: Uint8Array }
}

/** What a client with this record sends; the same until `accept`. */
export function requestOf(holder: Holder): Request {
  holder.pending ??= newVerifier()
  return { refreshToken: holder.token, verifier: holder.verifier, challenge: s256(holder.pending) }
}

/** One atomic write, and only if the stored token still is the one that was sent. */
export function accept(holder: Holder, request: Request, step: Step): boolean {
  if (step.outcome !== "granted" || holder.token !== request.refreshToken || !holder.pending) return false
  Object.assign(holder, { token: step.refreshToken, verifier: holder.pending, pending: null })
  return true
}

export interface RigOptions {
  secrets?: { secret: string; signFrom: number }[]
  retiredKids?: string[]
  /** Wraps or replaces the store. */
  store?: (clock: { now: () => number }) => Store
  idleSeconds?: number
  onReuse?: (reuse: { session_id: string; sub: string }) => void
}

/** A line on a store with a clock that the test moves, its events, and the calls that reached the store. */
export function createRig(options: RigOptions = {}) {
  const clock = { seconds: 1_900_000_000, now: () => clock.seconds * 1000 }
  const calls: string[] = []
  const store = logged((options.store ?? memoryStore)(clock), calls)
  const events: PkceEventInput[] = []
  const reuses: { session_id: string; sub: string }[] = []

  function process(secrets = [{ secret: SECRETS[0] ?? "", signFrom: 0 }], retiredKids: string[] = []) {
    const ring = createKeyRing(secrets, retiredKids, () => clock.seconds)
    const emit = (event: PkceEventInput) => void events.push(event)
    const line = createSessionLine({
      ring,
      store: guardStore(store, emit),
      emit,
      idleSeconds: options.idleSeconds ?? 30 * DAY,
      onReuse: options.onReuse ?? (({ row: _, ...reuse }) => reuses.push(reuse)),
    })
    return { ring, line }
  }
  const { ring, line } = process(options.secrets, options.retiredKids)

  async function login(by = { ring, line }): Promise<Holder> {
    const verifier = newVerifier()
    const sid = randomBytes(16).toString("base64url")
    const kid = await by.ring.active()
    const start = { kid, sid, code: newVerifier(), codeVerifier: newVerifier(), challenge: s256(verifier) }
    const { cur, history, refreshToken } = await by.line.begin(start)
    const origin = { cur, history }
    await store.create({ ...newRow(sid), ...origin })
    return { sid, token: refreshToken, verifier, pending: null, origin }
  }

  /** One refresh whose answer arrives. */
  async function refresh(holder: Holder, by = { ring, line }): Promise<Step> {
    const request = requestOf(holder)
    const step = await by.line.refresh(request)
    accept(holder, request, step)
    return step
  }

  async function row(sid: string): Promise<SessionRow> {
    const found = await store.find(sid)
    if (!found.row) throw new Error("no such row")
    return found.row
  }

  return { clock, store, calls, events, reuses, ring, line, process, login, refresh, row }
}

export const newRow = (sid: string) => ({
  sid,
  sub: "the user",
  provider: "auth0",
  idpIss: "https://issuer.example/",
  idpSub: "auth0|1",
  idpSid: null,
  device: "{}",
  profile: new Uint8Array(),
  grant: null,
  grantRev: 0,
  grantDueSeconds: null,
  idleSeconds: 30 * DAY,
  absoluteSeconds: 90 * DAY,
  notAfter: Number.MAX_SAFE_INTEGER,
})

/** Writes down the name of each call before it is made. */
function logged(store: Store, calls: string[]): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const member = target[name]
      if (typeof member !== "function") return member
      return (...args: unknown[]) => {
        calls.push(name)
        return (member as (...args: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}

/** A rig whose store is an older state of the session: of what was sent only the first `kept` requests ever reached it. */
export async function rolledBack(holder: Holder, sent: Request[], kept: number) {
  const older = createRig()
  await older.store.create({ ...newRow(holder.sid), ...holder.origin })
  for (const request of sent.slice(0, kept)) await older.line.refresh(request)
  return older
}

/** What of a step can be compared and shown. */
export const outcomeOf = (step: Step): string =>
  step.outcome === "ended"
    ? step.code
    : `${step.repeat ? "repeat" : "granted"}${step.withSessionToken ? " with session token" : ""}`
