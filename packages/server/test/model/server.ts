import { createSessionLine } from "../../src/session/line.js"
import type { Step } from "../../src/session/types.js"
import type { Advance, AdvanceResult, SessionRow, Store } from "../../src/stores/contract.js"
import { advanced, isLive, newRow } from "../../src/stores/rows.js"
import { createKeyRing } from "../../src/vault/keyring.js"
import { newRow as newSession, type Request, SECRETS, s256 } from "../support/line.js"
import { createInterned } from "./interned.js"

type Call = { ask: "advance"; step: Advance } | { ask: "find" } | { ask: "revoke" }

/** Where a process stands in one refresh: it waits for the store, or it has its answer. */
type Turn = { call: Call } | { answer: number }

/** A refresh that a process has begun, and what the store told it so far. */
export interface Process {
  request: number
  /** Each answer of the store: what became of the call, the row that came with it, the time. */
  heard: string
}

/** What the client is told. `token` is the successor; `fresh`: a session token came with it. `again` is a 503. */
export type Answer = { token: string; fresh: boolean } | { ended: string } | { again: true }

export interface ServerOptions {
  /** What a store would do that keeps less than the line gave it: for the negative controls. */
  spoil?: (store: Store) => Store
}

const SID = "the-one-session-of-all"
const START = 1_900_000_000

/**
 * The real session line over one row, one store operation at a time. A process that stopped between two operations is
 * continued by running it again on what it heard before: the line is a function of its request and the store's answers.
 * Requests, rows and answers are numbers here, and a turn that was taken before is remembered.
 */
export async function createModelServer({ spoil }: ServerOptions = {}) {
  const ring = createKeyRing([{ secret: SECRETS[0] ?? "", signFrom: 0 }], [], () => START)
  const requests = createInterned<Request>(
    ({ refreshToken, verifier, challenge }) => refreshToken + verifier + challenge,
  )
  const rows = createInterned<SessionRow>(textOf)
  const answers = createInterned<Answer>((answer) => JSON.stringify(answer))
  const turns = new Map<string, Turn>()

  const lineOn = (store: Partial<Store>) =>
    createSessionLine({
      ring,
      store: store as Store,
      emit: () => undefined,
      idleSeconds: 3600,
      onReuse: () => undefined,
    })

  async function take({ request, heard }: Process): Promise<Turn> {
    const told = heard.split(" ").filter(Boolean).map(read)
    let waiting: Call | null = null
    async function next(call: Call) {
      const result = told.shift()
      if (result) return result
      waiting = call
      throw new Error("the process stands here")
    }
    const asked: Partial<Store> = {
      async advance(step) {
        const { outcome, row, now } = await next({ ask: "advance", step })
        return { outcome: outcome === "moved" ? "advanced" : "refused", row, now } satisfies AdvanceResult
      },
      find: () => next({ ask: "find" }),
      revoke: async () => (await next({ ask: "revoke" })).outcome === "moved",
    }
    const step = await lineOn(spoil ? spoil(asked as Store) : asked)
      .refresh(requests.of(request))
      .catch(() => null)
    if (waiting) return { call: waiting }
    return { answer: answers.id(step ? answerOf(step) : { again: true }) }
  }

  function read(text: string) {
    const [outcome, row, now] = text.split(",")
    return { outcome, row: rows.of(Number(row)), now: Number(now) }
  }

  async function turnOf(process: Process): Promise<Turn> {
    const key = `${process.request} ${process.heard}`
    const known = turns.get(key)
    if (known) return known
    const turn = await take(process)
    turns.set(key, turn)
    return turn
  }

  const moved = new Map<string, number>()
  /** The row after a call; the number of the same row where the store refused. */
  function apply(call: Call, rowId: number, now: number, key: string): number {
    const known = moved.get(key)
    if (known !== undefined) return known
    const row = rows.of(rowId)
    let after: SessionRow | null = null
    if (isLive(row, now)) {
      if (call.ask === "advance") after = advanced(row, call.step, now)
      if (call.ask === "revoke") after = { ...row, revokedAt: now, revokedReason: "reuse" }
    }
    const id = after ? rows.id(after) : rowId
    moved.set(key, id)
    return id
  }

  const kid = await ring.active()
  const verifier = "owner-0"
  const begun = await lineOn({}).begin({
    kid,
    sid: SID,
    code: "c",
    codeVerifier: "v",
    challenge: s256(verifier),
  })
  const first = { ...newSession(SID), cur: begun.cur, history: begun.history }

  return {
    requests,
    rows,
    answers,
    start: { row: rows.id(newRow(first, START)), token: begun.refreshToken, verifier },
    timeOf: (late: boolean) => START + (late ? 31 : 1),

    /** One operation of the store for this process: the row after it, and either its answer or where it stands now. */
    async step(process: Process, row: number, now: number) {
      const turn = await turnOf(process)
      if ("answer" in turn) return { row, answer: turn.answer }
      const after = apply(turn.call, row, now, `${process.request} ${process.heard}/${row}/${now}`)
      const outcome = after === row ? "same" : "moved"
      const heard = `${process.heard} ${outcome},${after},${now}`.trim()
      const next = await turnOf({ request: process.request, heard })
      return "answer" in next
        ? { row: after, answer: next.answer }
        : { row: after, process: { ...process, heard } }
    },
  }
}

export type ModelServer = Awaited<ReturnType<typeof createModelServer>>

const answerOf = (step: Step): Answer =>
  step.outcome === "granted"
    ? { token: step.refreshToken, fresh: step.withSessionToken }
    : { ended: step.code }

function textOf({ gen, cur, history, seenAt, revokedAt }: SessionRow): string {
  const bytes = [cur, history].map((value) => Buffer.from(value).toString("base64"))
  return [gen, ...bytes, seenAt, revokedAt].join()
}
