import { PkceError } from "../../../src/errors.js"
import type { PkceClientEvent } from "../../../src/session/events.js"
import { type ClientRecord, emptyRecord, type StoredSession } from "../../../src/session/record.js"
import { DISK_ERROR } from "./storage.js"

/** Milliseconds after which a tab that is awake has heard of a change, if the storage can be read. */
export const HEARD = 200

export type Invariants = ReturnType<typeof invariants>

export const recordOf = (text: string | null): ClientRecord => (text ? JSON.parse(text) : emptyRecord())

/** What must be true in every weather, and the log of what happened until it was not. */
export function invariants(now: () => number) {
  const start = now()
  const log: string[] = []
  const problems: string[] = []
  /** Sessions that somebody wanted to end: each other end is a fault. */
  const wanted = new Set<string>()
  /** Until then every new session may be ended: "log out everywhere" may be on its way for minutes. */
  let allWantedUntil = 0
  const secrets = new Set<string>()
  /** Refresh tokens that have left a record, and when. */
  const spent = new Map<string, number>()
  const lastWords = new Set<string>()
  const takenAt = new Map<string, number>()
  /** Sessions that were in a record, with the time at which their login's callback was taken. */
  const stored = new Map<string, number>()
  const loggedOutLogins = new Set<string>()

  const note = (text: string) => void log.push(`${((now() - start) / 1000).toFixed(3)} ${text}`)
  function problem(what: string): void {
    note(`PROBLEM ${what}`)
    problems.push(what)
  }

  function keepsSecrets(text: string, where: string): void {
    if (text.includes(DISK_ERROR)) problem(`the disk's own words in ${where}`)
    // All of them are long words, which is quicker than to look for each.
    const words = text.match(/[\w~-][\w.~-]{14,}[\w~-]/g) ?? []
    if (words.some((word) => secrets.has(word))) problem(`a secret in ${where}`)
  }

  function learnSecrets(values: unknown): void {
    if (values === Object(values)) {
      for (const [name, value] of Object.entries(values as object)) {
        const isSecret = /verifier|^refresh_?token$|^session_token$|^code$|^handoff$|^value$/i.test(name)
        if (isSecret && typeof value === "string") secrets.add(value)
        else learnSecrets(value)
      }
    }
  }

  /** R7: what was announced is repeated. Another step of the same generation looks like a theft. */
  function stepStays(before: StoredSession | null, after: StoredSession | null): void {
    if (!before?.pending || after?.refreshToken !== before.refreshToken) return
    if (after.pending?.challenge !== before.pending.challenge) problem(`${after.id} has drawn a second step`)
  }

  /** GR4: a late answer never takes the line back, and never brings back what has ended. */
  function lineGoesForward(before: StoredSession | null, after: StoredSession | null): void {
    if (before && before.refreshToken !== after?.refreshToken) spent.set(before.refreshToken, now())
    if (after && spent.has(after.refreshToken)) problem(`${after.id} has gone back to an earlier generation`)
  }

  /** C14: a session comes from a login that waited, that no logout has ended, and that is not older than what is there. */
  function sessionBegins({ session: replaced, logins }: ClientRecord, session: StoredSession, state: string) {
    const taken = takenAt.get(state) ?? 0
    if (!logins.some((login) => login.state === state)) problem(`${session.id} comes from no login`)
    if (loggedOutLogins.has(state)) problem(`${session.id} comes from a login before the logout`)
    if (replaced && taken < (stored.get(replaced.id) ?? 0))
      problem(`${session.id} comes from an older login than ${replaced.id}, which it replaces`)
    stored.set(session.id, taken)
    if (now() < allWantedUntil) wanted.add(session.id)
    if (replaced) wanted.add(replaced.id)
  }

  /** Once a tab has heard that the record has moved on, it sends what it was about to send, and then no more. */
  function asksNoMore(where: string, refreshToken: string, wokeAt: number): void {
    const at = Math.max(spent.get(refreshToken) ?? Number.POSITIVE_INFINITY, wokeAt)
    if (now() < at + HEARD) return
    const words = `${where} ${refreshToken}`
    if (lastWords.has(words)) problem(`${where} goes on asking for a session that has moved on`)
    lastWords.add(words)
  }

  return {
    log,
    problems,
    note,
    problem,
    keepsSecrets,
    asksNoMore,
    learnSecrets,
    stored,
    wanted,
    wantAll: (milliseconds: number) => {
      allWantedUntil = now() + milliseconds
    },
    /** A login under way when the user logged out must not sign in again. */
    loggedOut: (record: ClientRecord) =>
      record.logins.forEach(({ state }) => void loggedOutLogins.add(state)),

    recordChanged(where: string, before: ClientRecord, after: ClientRecord): void {
      learnSecrets(after)
      for (const { state, redeemedAt } of after.logins)
        if (redeemedAt && !takenAt.has(state)) takenAt.set(state, now())
      stepStays(before.session, after.session)
      lineGoesForward(before.session, after.session)
      const [from, to] = [before.session?.id, after.session?.id]
      if (from === to) return
      note(`${where} record: ${from} -> ${to}`)
      if (after.session) sessionBegins(before, after.session, after.used.at(-1) ?? "")
      else if (from && !wanted.has(from)) problem(`${from} has left the record, and nobody wanted it`)
    },

    /** What one tab is told follows from what it was told before, and ends no session that nobody wanted to end. */
    listener(where: string): (event: PkceClientEvent) => void {
      let last: string | null | undefined
      return (event) => {
        const { type, session } = event
        note(`${where} ${type} ${session?.id ?? ""} ${"reason" in event ? event.reason : ""}`)
        keepsSecrets(JSON.stringify(event), type)
        if ("error" in event) keepsSecrets(`${event.error.stack}`, type)
        if (type === "storage_lost") problem(`${where} is told that the storage was lost`)
        if (type === "signed_in" && last === session.id) problem(`${where} is told twice of ${last}`)
        if (type === "refreshed" && last !== undefined && last !== session.id)
          problem(`${where} is told of ${session.id} as if it were ${last}`)
        if (type === "signed_out" && (last === null || (last && !wanted.has(last))))
          problem(`${where} is told of the end of ${last}`)
        if (/^(signed_in|refreshed|signed_out)$/.test(type)) last = session?.id ?? null
      }
    },

    /** Whoever calls the client gets a result or a `PkceError`. */
    failedWell(where: string, error: unknown): void {
      note(`${where} failed: ${(error as PkceError).code}`)
      if (!(error instanceof PkceError)) problem(`${where} failed with ${(error as Error)?.stack ?? error}`)
      else keepsSecrets(`${error.stack} ${JSON.stringify(error)}`, where)
    },
  }
}
