import { s256 } from "../support/line.js"
import type { ModelServer, Process } from "./server.js"

/** What one party holds: the client's durable record, or a thief's copy of it. */
export interface Party {
  token: string
  verifier: string
  /** The verifier of the next generation, durable before anything is sent. */
  pending: string | null
}

/**
 * One state of everything. Messages are never taken off the network: one that was sent may arrive now, later, again, or
 * never, in any order. So losing, delaying, doubling and reordering need no happenings of their own.
 */
export interface World {
  row: number
  /** Earlier rows, oldest first: what a store that loses commits may fall back to. */
  past: number[]
  rollbacks: number
  late: boolean
  owner: Party
  /** What the owner was told that ended its session. */
  ended: string | null
  /** Verifiers that the owner's storage has lost: only in the negative control. */
  forgotten: number
  thief: Party | null
  requests: number[]
  /** Pairs of request and answer. */
  answers: [request: number, answer: number][]
  processes: Process[]
}

export interface Bounds {
  /** Generations of the line. */
  generations: number
  /** Refreshes that processes have begun and not ended, at one time. */
  processes: number
  rollbacks: number
  thief: boolean
  /** Lets half a minute pass at any time: a repeat then brings no session token. */
  time: boolean
  /** Lets the owner's storage lose what it reported durable, once. */
  storageForgets?: boolean
}

const challenges = new Map<string, string>()
function challengeOf(verifier: string): string {
  const challenge = challenges.get(verifier) ?? s256(verifier)
  challenges.set(verifier, challenge)
  return challenge
}

export const generationOf = (token: string): number => Number(token.split(".")[3])

export const firstWorld = ({ start: { row, token, verifier } }: ModelServer): World => ({
  row,
  past: [],
  rollbacks: 0,
  late: false,
  owner: { token, verifier, pending: null },
  ended: null,
  forgotten: 0,
  thief: null,
  requests: [],
  answers: [],
  processes: [],
})

/** Draws the verifier of the next generation; `who` makes it one that nobody else can know. */
export const drawn = (party: Party, who: string): Party => ({
  ...party,
  pending: party.pending ?? `${who}-${generationOf(party.token) + 1}`,
})

/** The number of the request that this record makes: the same one each time. */
export const requestOf = ({ requests }: ModelServer, { token, verifier, pending }: Party): number =>
  requests.id({ refreshToken: token, verifier, challenge: challengeOf(pending ?? "") })

/** The record after an answer to its own request; `null` for an answer to any other. */
export function accepted(server: ModelServer, party: Party, request: number, answer: number): Party | null {
  const told = server.answers.of(answer)
  if (!("token" in told) || !party.pending || request !== requestOf(server, party)) return null
  return { token: told.token, verifier: party.pending, pending: null }
}

export type Happened = [what: string, world: World]

/** Everything that can happen next. */
export async function* happenings(
  server: ModelServer,
  bounds: Bounds,
  world: World,
): AsyncGenerator<Happened> {
  yield* atTheClient(server, bounds, world)
  if (bounds.thief) yield* atTheThief(server, bounds, world)
  yield* atTheServer(server, bounds, world)
  if (bounds.time && !world.late) yield ["half a minute passes", { ...world, late: true }]
}

function* atTheClient(server: ModelServer, bounds: Bounds, world: World): Generator<Happened> {
  const { owner, forgotten } = world
  if (world.ended !== null) return
  if (!owner.pending) {
    const name = `owner${"'".repeat(forgotten)}`
    if (generationOf(owner.token) < bounds.generations) {
      yield ["the owner draws a verifier", { ...world, owner: drawn(owner, name) }]
    }
    return
  }
  const request = requestOf(server, owner)
  if (!world.requests.includes(request)) yield ["the owner sends", sent(world, request)]
  if (bounds.storageForgets && forgotten < 1) {
    yield ["the storage forgets", { ...world, owner: { ...owner, pending: null }, forgotten: forgotten + 1 }]
  }
  for (const [to, answer] of world.answers) {
    const told = server.answers.of(answer)
    // A client ends its session only if the token that was refused still is the one that it holds.
    if ("ended" in told && server.requests.of(to).refreshToken === owner.token) {
      yield [`the owner hears ${told.ended}`, { ...world, ended: told.ended }]
    }
    const next = accepted(server, owner, to, answer)
    if (next) yield ["the owner hears its successor", { ...world, owner: next }]
  }
}

function* atTheThief(server: ModelServer, bounds: Bounds, world: World): Generator<Happened> {
  const { thief, owner } = world
  if (!thief) {
    yield ["a thief copies the record", { ...world, thief: { ...owner, pending: null } }]
    if (owner.pending) yield ["a thief copies the record in flight", { ...world, thief: { ...owner } }]
    return
  }
  if (generationOf(thief.token) < bounds.generations) {
    const ready = drawn(thief, "thief")
    const request = requestOf(server, ready)
    if (!world.requests.includes(request))
      yield ["the thief sends", sent({ ...world, thief: ready }, request)]
  }
  for (const [to, answer] of world.answers) {
    const next = accepted(server, thief, to, answer)
    if (next) yield ["the thief hears its successor", { ...world, thief: next }]
  }
}

async function* atTheServer(server: ModelServer, bounds: Bounds, world: World): AsyncGenerator<Happened> {
  const { row, past, processes, rollbacks, late } = world
  const now = server.timeOf(late)

  async function worked(process: Process, others: Process[]): Promise<World> {
    const done = await server.step(process, row, now)
    const next: World = {
      ...world,
      row: done.row,
      past: done.row === row ? past : [...past, row],
      processes: done.process ? [...others, done.process] : others,
    }
    return done.answer === undefined ? next : answered(next, process.request, done.answer)
  }

  if (processes.length < bounds.processes) {
    for (const request of world.requests) {
      yield [`request ${request} arrives`, await worked({ request, heard: "" }, processes)]
    }
  }
  for (const process of processes) {
    const others = processes.filter((other) => other !== process)
    yield [`the process of request ${process.request} goes on`, await worked(process, others)]
    yield [`the process of request ${process.request} dies`, { ...world, processes: others }]
  }
  if (rollbacks < bounds.rollbacks) {
    for (const [at, older] of past.entries()) {
      const lost = { ...world, row: older, past: past.slice(0, at), rollbacks: rollbacks + 1 }
      yield [`the store falls back by ${past.length - at}`, lost]
    }
  }
}

const sent = (world: World, request: number): World => ({
  ...world,
  requests: [...world.requests, request].sort((a, b) => a - b),
})

function answered(world: World, request: number, answer: number): World {
  if (world.answers.some(([to, what]) => to === request && what === answer)) return world
  const answers = [...world.answers, [request, answer] as [number, number]]
  return { ...world, answers: answers.sort((a, b) => a[0] - b[0] || a[1] - b[1]) }
}
