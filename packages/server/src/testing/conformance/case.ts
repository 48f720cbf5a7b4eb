import { toBase64url } from "@pkce/protocol"
import { randomBytes } from "#crypto"
import type { Advance, GrantState, NewSession, SealGrant, SessionRow, Store } from "../../stores/contract.js"

export interface Case {
  name: string
  needsClock?: true
  check(store: Store, advanceClock: (seconds: number) => void): Promise<void>
}

export const DAY = 86_400
export const id = (): string => toBase64url(randomBytes(16))

/** Bytes that text columns, drivers and scripts like to spoil: zeros, high bits, broken UTF-8, quotes. */
export const awkward = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => [0, 0xff, 0x27, 0xc3, 0x28, 0x80, 0x0a, 0x5c][i % 8] ?? 0)

export function newSession(overrides: Partial<NewSession> = {}): NewSession {
  const history = new Uint8Array(256)
  history.set([0x80, 1, 2, 3, 4, 5, 6, 7])
  return {
    sid: id(),
    sub: id(),
    cur: awkward(32),
    history,
    provider: "auth0",
    idpIss: "https://issuer.example/",
    idpSub: 'auth0|it\'s \u{1F511} \\ "quoted" -- ?',
    idpSid: null,
    device: '{"name":"Ada’s phone"}',
    profile: awkward(300),
    grant: awkward(777),
    grantRev: 0,
    grantDueSeconds: null,
    idleSeconds: 30 * DAY,
    absoluteSeconds: 90 * DAY,
    notAfter: Number.MAX_SAFE_INTEGER,
    ...overrides,
  }
}

export async function created(store: Store, overrides: Partial<NewSession> = {}): Promise<SessionRow> {
  const result = await store.create(newSession(overrides))
  if (result.outcome !== "created") throw new Error(`create of a new session was "${result.outcome}"`)
  return result.row
}

/** The next step of a row; `fill` makes its values differ from those of another step. */
export const stepOf = (row: SessionRow, fill: number, overrides: Partial<Advance> = {}): Advance => ({
  sid: row.sid,
  expect: { gen: row.gen, cur: row.cur },
  next: { gen: row.gen + 1, cur: new Uint8Array(32).fill(fill) },
  history: { mark: new Uint8Array(8).fill(0x80 | fill) },
  idleSeconds: 30 * DAY,
  ...overrides,
})

export async function advanced(store: Store, step: Advance): Promise<SessionRow> {
  const result = await store.advance(step)
  if (result.outcome !== "advanced") throw new Error(`a valid advance was "${result.outcome}"`)
  return result.row
}

/** The row with its grant leased, and the state that the lease found. */
export async function leased(
  store: Store,
  { sid, grantRev }: SessionRow,
  seconds = 600,
): Promise<{ row: SessionRow; before: GrantState; now: number }> {
  const result = await store.leaseGrant(sid, { rev: grantRev, seconds })
  if (result.outcome !== "leased") throw new Error(`a valid leaseGrant was "${result.outcome}"`)
  return result
}

/** What the holder of the last lease of `row` gives back; `overrides` says what else it saves. */
export const sealOf = (row: SessionRow, overrides: Partial<SealGrant> = {}): SealGrant => ({
  sid: row.sid,
  rev: row.grantRev,
  lease: row.leaseNumber,
  state: "ok",
  dueSeconds: null,
  ...overrides,
})

export async function sealed(store: Store, seal: SealGrant): Promise<SessionRow> {
  const result = await store.sealGrant(seal)
  if (result.outcome !== "sealed") throw new Error(`a valid sealGrant was "${result.outcome}"`)
  return result.row
}

export async function found(store: Store, sid: string): Promise<SessionRow> {
  const { row } = await store.find(sid)
  if (!row) throw new Error("find did not find a session that is there")
  return row
}

export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}

/** Compares plain values and bytes by content. */
export function expectSame(actual: unknown, wanted: unknown, what: string): void {
  const [a, b] = [plain(actual), plain(wanted)]
  if (a !== b) throw new Error(`${what}: expected ${shortened(b)}, found ${shortened(a)}`)
}

const plain = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) => {
    if (member instanceof Uint8Array) return `bytes:${toBase64url(member)}`
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
  }) ?? "undefined"

const shortened = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}...` : text)
