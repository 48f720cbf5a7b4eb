import type { NewSession, OnceKind, SessionRow, Store } from "./contract.js"
import { advanced, ended, isDue, isLive, leased, newRow, rowDead, sealedAnew } from "./rows.js"

interface Once {
  value: string
  expiresAt: number
}

/**
 * A store in this process's memory, for development and tests: its sessions end with the process, and a second process
 * knows nothing of them. Refused with `NODE_ENV=production` unless `allowMemoryStore` says otherwise.
 *
 * Every transition happens in one turn of the event loop, which makes it atomic. What has expired is deleted a little at
 * a time by the calls that add something, so the store does not grow beyond what lives.
 *
 * @param options `now` gives the time in milliseconds; default `Date.now`.
 * @example
 * ```ts
 * const auth = createPkceServer({ ...options, store: memoryStore() })
 * ```
 */
export function memoryStore(options: { now?: () => number } = {}): Store {
  const clock = options.now ?? Date.now
  const seconds = () => Math.floor(clock() / 1000)
  const rows = new Map<string, SessionRow>()
  const values = new Map<string, Once>()
  const listeners = new Set<(sid: string) => void>()
  const sweepRows = sweeper(rows, rowDead)
  const sweepValues = sweeper(values, (entry, now) => now >= entry.expiresAt)

  const keyOf = (kind: OnceKind, key: string) => `${kind}:${key}`
  function held(kind: OnceKind, key: string, now: number): Once | undefined {
    const entry = values.get(keyOf(kind, key))
    return entry && now < entry.expiresAt ? entry : undefined
  }

  function end(row: SessionRow, reason: string, now: number): boolean {
    if (!isLive(row, now)) return false
    rows.set(row.sid, ended(row, reason, now))
    for (const listener of listeners) listener(row.sid)
    return true
  }

  return {
    kind: "memory",

    async create(session: NewSession) {
      const now = seconds()
      sweepRows(4, now)
      const taken = rows.get(session.sid)
      if (taken) return { outcome: "exists", row: copy(taken), now }
      if (now > session.notAfter) return { outcome: "late", now }
      const row = copy(newRow(session, now))
      rows.set(row.sid, row)
      return { outcome: "created", row: copy(row), now }
    },

    async advance(step) {
      const now = seconds()
      const row = rows.get(step.sid)
      if (!row) return { outcome: "missing", now }
      const next = isLive(row, now) ? advanced(row, step, now) : null
      if (!next) return { outcome: "refused", row: copy(row), now }
      rows.set(next.sid, next)
      return { outcome: "advanced", row: copy(next), now }
    },

    async find(sid) {
      const row = rows.get(sid)
      return { row: row ? copy(row) : null, now: seconds() }
    },

    async revoke(sid, reason) {
      const row = rows.get(sid)
      return row ? end(row, reason, seconds()) : false
    },

    async listByUser(sub) {
      const now = seconds()
      const live = [...rows.values()].filter((row) => row.sub === sub && isLive(row, now))
      return { rows: live.sort(newestFirst).map(copy), now }
    },

    async revokeByUser(sub, reason, except) {
      const now = seconds()
      const theirs = [...rows.values()].filter((row) => row.sub === sub && row.sid !== except)
      return theirs.filter((row) => end(row, reason, now)).map(({ sid }) => sid)
    },

    async revokeByProviderSession(idpIss, idpSid, reason) {
      const now = seconds()
      const theirs = [...rows.values()].filter((row) => row.idpIss === idpIss && row.idpSid === idpSid)
      return theirs.filter((row) => end(row, reason, now)).map(({ sid }) => sid)
    },

    async leaseGrant(sid, lease) {
      const now = seconds()
      const row = rows.get(sid)
      if (!row) return { outcome: "missing", now }
      const next = isLive(row, now) ? leased(row, lease, now) : null
      if (!next) return { outcome: "refused", row: copy(row), now }
      rows.set(sid, next)
      return { outcome: "leased", row: copy(next), before: row.grantState, now }
    },

    async sealGrant(seal) {
      const now = seconds()
      const row = rows.get(seal.sid)
      if (!row) return { outcome: "missing", now }
      const next = isLive(row, now) ? sealedAnew(row, seal, now) : null
      if (!next) return { outcome: "refused", row: copy(row), now }
      rows.set(row.sid, next)
      return { outcome: "sealed", row: copy(next), now }
    },

    async due(within, limit) {
      const now = seconds()
      const found = [...rows.values()].filter((row) => isLive(row, now) && isDue(row, within, now))
      return { rows: found.sort(earliestFirst).slice(0, limit).map(copy), now }
    },

    async scan(from, limit) {
      const now = seconds()
      const live = [...rows.values()].filter((row) => isLive(row, now) && (from === null || row.sid > from))
      const page = live.sort(byId).slice(0, limit)
      return { rows: page.map(copy), next: page.length < limit ? null : (page.at(-1)?.sid ?? null), now }
    },

    async claim(kind, key, value, ttlSeconds) {
      const now = seconds()
      sweepValues(4, now)
      const taken = held(kind, key, now)
      if (taken) return { outcome: "taken", value: taken.value, now }
      values.set(keyOf(kind, key), { value, expiresAt: now + ttlSeconds })
      return { outcome: "claimed", now }
    },

    async peek(kind, key) {
      return held(kind, key, seconds())?.value ?? null
    },

    async settle(kind, key, expected, value) {
      const entry = held(kind, key, seconds())
      if (entry?.value !== expected) return false
      entry.value = value
      return true
    },

    async release(kind, key, expected) {
      const entry = held(kind, key, seconds())
      return entry?.value === expected && values.delete(keyOf(kind, key))
    },

    async take(kind, key) {
      const entry = held(kind, key, seconds())
      if (entry) values.delete(keyOf(kind, key))
      return entry?.value ?? null
    },

    async sweep(limit) {
      const now = seconds()
      const gone = sweepRows(rows.size, now, limit)
      return gone + sweepValues(values.size, now, limit - gone)
    },

    onRevoked(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}

const byId = (a: SessionRow, b: SessionRow) => (a.sid < b.sid ? -1 : 1)
const earliestFirst = (a: SessionRow, b: SessionRow) => (a.grantDueAt ?? 0) - (b.grantDueAt ?? 0)
const newestFirst = (a: SessionRow, b: SessionRow) => b.createdAt - a.createdAt

/**
 * Callers own what they give and get: bytes that they write to must not be the ones that are kept. Not by `slice`, which
 * for a Buffer shares them.
 */
const copy = (row: SessionRow): SessionRow => ({
  ...row,
  cur: new Uint8Array(row.cur),
  history: new Uint8Array(row.history),
  profile: new Uint8Array(row.profile),
  grant: row.grant && new Uint8Array(row.grant),
})

/** Walks round the map, a few entries at each call, and deletes the dead. The number deleted. */
function sweeper<T>(map: Map<string, T>, isDead: (entry: T, now: number) => boolean) {
  let walk = map.entries()
  return (look: number, now: number, limit = look): number => {
    let gone = 0
    for (let seen = 0; seen < look && gone < limit; seen++) {
      let next = walk.next()
      if (next.done) {
        walk = map.entries()
        next = walk.next()
      }
      if (next.done) break
      const [key, entry] = next.value
      if (isDead(entry, now) && map.delete(key)) gone++
    }
    return gone
  }
}
