import type { Step } from "../../src/session/types.js"
import type { NewSession, SessionRow, Store } from "../../src/stores/contract.js"
import { accept, createRig, DAY, type Holder, type Request, requestOf, SECRETS } from "./line.js"

/** One thing that happens to a client, a network, a fleet, a store, or a thief. `pick` chooses among what is there. */
export interface Happening {
  what: (typeof HAPPENINGS)[number]
  pick: number
}

export const HAPPENINGS = [
  "send",
  "good spell",
  "deliver request",
  "duplicate request",
  "lose request",
  "deliver answer",
  "duplicate answer",
  "lose answer",
  "crash before the store",
  "crash after the store",
  "clock",
  "rotate key",
  "roll back",
  "steal",
  "thief refreshes",
] as const

interface Letter {
  request: Request
  generation: number
}

interface Answer extends Letter {
  step: Step
}

export interface World {
  /** What the honest client was told that ends a session. */
  ended: string[]
  thiefGranted: boolean
  honestGranted: number
  alarms: number
  /** Generations that were advanced more than once without a rollback between. */
  forks: number[]
  /** Requests until the honest client had a new generation and a session token, when all was well again. */
  recovery: number | null
}

export interface ModelOptions {
  store: (clock: { now: () => number }) => Store
  /** The faults of a negative control. */
  storageForgets?: boolean
}

const RING = 32

/** Lets everything happen in turn, then heals the network, and says what became of everybody. */
export async function live(happenings: Happening[], options: ModelOptions): Promise<World> {
  const journal: Kept[] = []
  const faults = { before: false, after: false }
  let current: Store
  const make = options.store
  const rig = createRig({
    store(clock) {
      current = make(clock)
      return faulty(() => current, journal, faults)
    },
  })
  const [first = "", ...newer] = SECRETS
  const secrets = [{ secret: first, signFrom: 0 }]
  let fleet = rig.process(secrets)
  const honest = await rig.login(fleet)

  const requests: Letter[] = []
  const answers: Answer[] = []
  const world: World = {
    ended: [],
    thiefGranted: false,
    honestGranted: 0,
    alarms: 0,
    forks: [],
    recovery: null,
  }
  let thief: Holder | null = null
  let lastNewGeneration = 0
  let advancedBy = new Map<number, string>()

  const generationOf = (token: string) => Number(token.split(".")[3])

  async function serve({ request, generation }: Letter): Promise<Step | null> {
    const step = await fleet.line.refresh(request).catch(() => null)
    if (step?.outcome === "granted" && !step.repeat) {
      const other = advancedBy.get(generation)
      if (other !== undefined && other !== request.challenge) world.forks.push(generation)
      advancedBy.set(generation, request.challenge)
    }
    return step
  }

  function told(letter: Letter, step: Step): void {
    // A client ends its session only if the token that was refused still is the one that it holds.
    if (step.outcome === "ended" && letter.request.refreshToken === honest.token) world.ended.push(step.code)
    if (accept(honest, letter.request, step)) world.honestGranted++
  }

  const happen: Record<Happening["what"], (pick: number) => Promise<void> | void> = {
    send() {
      if (options.storageForgets) honest.pending = null
      // The client draws a new generation at most every 10 s; repeats of one that is pending go out at any time.
      if (!honest.pending) {
        rig.clock.seconds = Math.max(rig.clock.seconds, lastNewGeneration + 10)
        lastNewGeneration = rig.clock.seconds
      }
      requests.push({ request: requestOf(honest), generation: generationOf(honest.token) })
    },
    async "good spell"(pick) {
      for (let refreshes = pick % 12; refreshes > 0; refreshes--) {
        happen.send(0)
        const letter = requests.pop()
        const step = letter && (await serve(letter))
        if (letter && step) told(letter, step)
      }
    },
    async "deliver request"(pick) {
      const [letter] = requests.splice(pick % requests.length, 1)
      const step = letter && (await serve(letter))
      if (letter && step) answers.push({ ...letter, step })
    },
    "duplicate request"(pick) {
      const letter = requests[pick % requests.length]
      if (letter) requests.push(letter)
    },
    "lose request": (pick) => void requests.splice(pick % requests.length, 1),
    "deliver answer"(pick) {
      const [answer] = answers.splice(pick % answers.length, 1)
      if (answer) told(answer, answer.step)
    },
    "duplicate answer"(pick) {
      const answer = answers[pick % answers.length]
      if (answer) answers.push(answer)
    },
    "lose answer": (pick) => void answers.splice(pick % answers.length, 1),
    async "crash before the store"(pick) {
      faults.before = true
      await happen["deliver request"](pick)
      faults.before = false
    },
    async "crash after the store"(pick) {
      faults.after = true
      await happen["deliver request"](pick)
      faults.after = false
    },
    clock(pick) {
      rig.clock.seconds += [1, 9, 31, 600][pick % 4] ?? 0
    },
    "rotate key"() {
      const secret = newer.shift()
      if (secret) secrets.unshift({ secret, signFrom: rig.clock.seconds + 5 })
      fleet = rig.process([...secrets])
    },
    async "roll back"(pick) {
      if (thief) return
      journal.splice(1 + (pick % journal.length))
      const now = rig.clock.seconds
      current = make(rig.clock)
      await restore(current, journal, rig.clock)
      rig.clock.seconds = now
      advancedBy = new Map()
    },
    steal() {
      thief ??= { ...honest, pending: null }
    },
    async "thief refreshes"() {
      if (!thief) return
      const request = requestOf(thief)
      const step = await serve({ request, generation: generationOf(thief.token) })
      // The same generation with the owner's own challenge would be the owner's answer: a thief draws one of his own.
      if (step && accept(thief, request, step)) world.thiefGranted = true
    },
  }

  for (const { what, pick } of happenings) {
    await happen[what](pick)
    // No message comes later than the ring reaches back.
    const oldest = generationOf(honest.token) - (RING - 2)
    for (const letters of [requests, answers]) {
      letters.splice(0, letters.length, ...letters.filter(({ generation }) => generation >= oldest))
    }
  }

  const before = generationOf(honest.token)
  for (let sent = 1; sent <= 3 && world.recovery === null && world.ended.length === 0; sent++) {
    rig.clock.seconds += 10
    const letter = { request: requestOf(honest), generation: generationOf(honest.token) }
    const step = await serve(letter)
    if (!step) continue
    told(letter, step)
    const fresh = step.outcome === "granted" && step.withSessionToken
    if (fresh && generationOf(honest.token) > before) world.recovery = sent
  }
  if (thief) await happen["thief refreshes"](0)
  world.alarms = rig.reuses.length
  return world
}

/** The session as it was made, and the row after each step since. */
type Kept = { session: NewSession; row: SessionRow } | { row: SessionRow }

/** Writes down each step of the line, to go back to it in a rollback, and lets processes die around a call. */
function faulty(current: () => Store, journal: Kept[], faults: { before: boolean; after: boolean }): Store {
  async function call<T>(work: (store: Store) => Promise<T>, keep: (result: T) => void = () => undefined) {
    if (faults.before) throw new Error("the process died before the store")
    const result = await work(current())
    keep(result)
    if (faults.after) throw new Error("the process died after the store")
    return result
  }
  return {
    ...current(),
    create: (session) =>
      call(
        (store) => store.create(session),
        (result) => void (result.outcome === "created" && journal.push({ session, row: result.row })),
      ),
    advance: (step) =>
      call(
        (store) => store.advance(step),
        (result) => void (result.outcome === "advanced" && journal.push({ row: result.row })),
      ),
    revoke: (sid, reason) => call((store) => store.revoke(sid, reason)),
    find: (sid) => call((store) => store.find(sid)),
  }
}

/** Brings an empty store to the last row of the journal, in as few operations as there can be. */
async function restore(store: Store, journal: Kept[], clock: { seconds: number }): Promise<void> {
  const [first, last] = [journal[0], journal.at(-1)]
  if (!first || !last || !("session" in first)) throw new Error("the journal does not begin with a session")
  clock.seconds = first.row.createdAt
  await store.create(first.session)
  const { sid, gen, cur, history, seenAt } = last.row
  if (gen === 0) return
  clock.seconds = seenAt
  const expect = { gen: 0, cur: first.session.cur }
  await store.advance({ sid, expect, next: { gen, cur }, history: { ring: history }, idleSeconds: 30 * DAY })
}
