import { PkceError } from "../errors.js"
import type { Emit } from "../events.js"
import type { SessionRow, Store } from "../stores/contract.js"
import { grantContext, profileContext } from "./provider-tokens.js"
import { type Anew, inUse, saveAnew } from "./reseal-row.js"
import { takeParts } from "./sealed-value.js"
import type { SealContext, Vault } from "./types.js"

export interface ResealOptions {
  /** Sessions that one call seals anew at most; it counts the others all the same. Default: all of them. */
  limit?: number
}

export interface ResealReport {
  /**
   * Live sessions by the id of each key that something of theirs is sealed with, as this call left them: a secret whose id is
   * not here seals nothing any more. Keys of a key provider stand as `key-provider:` and their name.
   */
  rows: Record<string, number>
  /** Sessions of which something was sealed anew. */
  resealed: number
  /** Sessions of which something does not open and never will: its key is retired, or the store was changed. Not in `rows`. */
  unreadable: number
  /** Sessions that are left for the next call: in use just now, beyond `limit`, or under a key that cannot be had now. */
  skipped: number
}

const PAGE = 100
/** Failures of the key provider, one after the other, that end the walk: it is away. */
const FAILURES = 10

/** Something that is sealed in a row: in which context, in which it is to be sealed, and with which key. */
interface Part {
  kind: keyof Anew
  sealed: Uint8Array
  from: SealContext
  to: SealContext
  /** The key by which it is counted; `null` where it does not open and never will. */
  name: string | null
  /** The very key: there may be many data keys of one name. */
  key: string
  old: boolean
  anew?: Uint8Array
}

/**
 * Walks over the live sessions, counts them by their keys, and seals anew what an older key has sealed. It may run in several
 * processes at once, and beside everything else: each row is compared in the store, and one that changed is left alone. A
 * session that the store meets twice in its walk is counted twice.
 */
export function createReseal({ store, vault, emit }: { store: Store; vault: Vault; emit: Emit }) {
  async function partsOf(row: SessionRow): Promise<Part[]> {
    const [profile, grant] = [profileContext(row), grantContext(row)]
    const next = grantContext({ ...row, grantRev: row.grantRev + 1 })
    const parts = [
      { kind: "profile", sealed: row.profile, from: profile, to: profile },
      { kind: "grant", sealed: row.grant ?? new Uint8Array(), from: grant, to: next },
    ] as const
    const there = parts.filter(({ sealed }) => sealed.length > 0)
    return Promise.all(
      there.map(async (part) => {
        const name = vault.sealedWith(part.sealed)
        const key = JSON.stringify(takeParts(part.sealed)?.name)
        return { ...part, name, key, old: name === null || (await vault.isOld(part.sealed)) }
      }),
    )
  }

  return async ({ limit = Number.POSITIVE_INFINITY }: ResealOptions = {}): Promise<ResealReport> => {
    await vault.ready()
    const rows = new Map<string, number>()
    const report = { resealed: 0, unreadable: 0, skipped: 0 }
    const missing = new Set<string>()
    let failures = 0

    async function sealAnew(row: SessionRow, part: Part): Promise<Part> {
      const { key, sealed, from, to } = part
      if (missing.has(key)) return part
      try {
        const anew = await vault.seal(await vault.open(sealed, from), to)
        failures = 0
        return { ...part, anew }
      } catch (thrown) {
        if (!(thrown instanceof PkceError)) throw thrown
        const { code, reason, errorId } = thrown
        if (code === "provider_grant_unreadable") {
          // G2, G3. A key that was given up on purpose is no tampering.
          const event = {
            type: "store.tamper",
            session_id: row.sid,
            sub: row.sub,
            error_id: errorId,
          } as const
          if (reason !== "key_retired") emit(event)
          return { ...part, name: null }
        }
        // G6: every other row would say the same, and one event for each key is enough.
        if (reason === "keyring_missing") missing.add(key)
        else if (reason !== "key_provider_failed" || ++failures === FAILURES) throw thrown
        return part
      }
    }

    /** The parts as they are afterwards. */
    async function renew(row: SessionRow, now: number, parts: Part[]): Promise<Part[]> {
      const tried: Part[] = []
      for (const part of parts) tried.push(part.old ? await sealAnew(row, part) : part)
      const anew: Anew = {}
      for (const part of tried) if (part.anew) anew[part.kind] = part.anew
      if (!anew.profile && !anew.grant) return tried
      if (!(await saveAnew(store, row, now, anew))) return tried
      report.resealed++
      return tried.map((part) =>
        part.anew ? { ...part, name: vault.sealedWith(part.anew), old: false } : part,
      )
    }

    async function visit(scanned: SessionRow): Promise<void> {
      let parts = await partsOf(scanned)
      if (parts.some(({ old }) => old) && report.resealed < limit) {
        // The page is as old as the keys of the rows before this one took to come.
        const { row, now } = await store.find(scanned.sid)
        if (!row) return
        parts = await partsOf(row)
        if (!inUse(row, now)) parts = await renew(row, now, parts)
      }
      for (const name of new Set(parts.map((part) => part.name)))
        if (name !== null) rows.set(name, (rows.get(name) ?? 0) + 1)
      if (parts.some(({ name, old }) => old && name !== null)) report.skipped++
      if (parts.some(({ name }) => name === null)) report.unreadable++
    }

    for (let from: string | null = null; ; ) {
      const page: Awaited<ReturnType<Store["scan"]>> = await store.scan(from, PAGE)
      for (const row of page.rows) await visit(row)
      if (page.next === null) return { rows: Object.fromEntries(rows), ...report }
      from = page.next
    }
  }
}
