import type { UserInfo } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import type { StoragePort } from "../platforms/ports.js"

const VERSION = 1
const USED_KEPT = 10

/** The next step of the line, drawn before the request that announces it. */
export interface NextStep {
  verifier: string
  challenge: string
}

export interface StoredSession {
  id: string
  provider: string
  user?: UserInfo
  refreshToken: string
  /** Opens the challenge inside `refreshToken`. */
  verifier: string
  /** A step whose answer is not known: every request repeats it until it has one. */
  pending?: NextStep | undefined
  /** When the last generation was begun; wall clock, milliseconds. */
  steppedAt: number
  /** Absent after a late repeat: then the next step is due. */
  token?: SessionToken | undefined
}

export interface SessionToken {
  value: string
  /** Milliseconds from `askedAt`. */
  lifetime: number
  /** When its request was sent, so that the token is never believed to live longer than it does. */
  askedAt: number
}

/** A login that waits for its callback, or, with a code in its request, for the backend's answer. */
export interface StoredLogin {
  state: string
  /** The route that ends it. */
  path: "/exchange" | "/redeem" | "/poll"
  /** As it will be sent, byte for byte: with what the callback brings it is complete. */
  request: { [member: string]: unknown }
  /** What the callback brings: a code, or the backend's own handoff. */
  parameter?: "handoff"
  /** Its id. */
  provider: string
  /** Generation 0 of the session line; its challenge is in the request. */
  step: NextStep
  redirectUri: string
  issuer: string
  issRequired: boolean
  appState?: string | undefined
  createdAt: number
  redeemedAt?: number
}

export interface ClientRecord {
  /** The form of the record. */
  v: typeof VERSION
  session: StoredSession | null
  /** Oldest first. */
  logins: StoredLogin[]
  /** States of logins that are over, newest last. */
  used: string[]
}

/** What a device holds that nobody has logged in on. */
export const emptyRecord = (): ClientRecord => ({ v: VERSION, session: null, logins: [], used: [] })

function parse(text: string | null): ClientRecord {
  try {
    const record = JSON.parse(`${text}`)
    if (record?.v === VERSION) return record
  } catch {
    // Nothing that this version wrote. Storage that cannot be read throws instead, and is never taken for empty.
  }
  return emptyRecord()
}

/**
 * Takes a login out of the record; a later copy of its callback is then `callback_used`. With it go those that were taken before
 * `since` and never heard of: they must not come back over a newer session (C14).
 */
export function closeLogin(record: ClientRecord, state: string, since = 0): void {
  record.logins = record.logins.filter(
    (login) => login.state !== state && (login.redeemedAt ?? since) >= since,
  )
  record.used = [...record.used, state].slice(-USED_KEPT)
}

/** What proves a session to the backend without a session token. */
export const credentialsOf = ({
  refreshToken,
  verifier,
}: Pick<StoredSession, "refreshToken" | "verifier">) => ({
  refresh_token: refreshToken,
  session_verifier: verifier,
})

export interface RecordStore {
  read(): Promise<ClientRecord>
  /**
   * One atomic, durable change. `change` edits the record that it gets; what it leaves alone is not written. It may run more
   * than once, each time on what is stored then; the answer is what it returned last.
   */
  update<T>(change: (record: ClientRecord) => T): Promise<T>
}

/** The record over a platform's storage. R7: failing storage is `storage_unavailable`, and never looks like an empty one. */
export function createRecordStore(storage: StoragePort): RecordStore {
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw error instanceof PkceError ? error : new PkceError("storage_unavailable", "storage")
    }
  }
  return {
    read: () => guard(async () => parse(await storage.read())),
    update: <T>(change: (record: ClientRecord) => T) =>
      guard(async () => {
        let result = undefined as T
        await storage.update((current) => {
          const record = parse(current)
          result = change(record)
          const holds = record.session || record.logins[0] || record.used[0]
          const next = holds ? JSON.stringify(record) : null
          return next === current ? undefined : next
        })
        return result
      }),
  }
}
