import { findViolation, leaked } from "./invariants.js"
import { createModelServer, type ServerOptions } from "./server.js"
import { type Bounds, firstWorld, happenings, type World } from "./world.js"

export interface Exploration {
  /** Distinct states that were reached. */
  states: number
  /** Happenings that were tried. */
  steps: number
  /** The first broken invariant, and the shortest way to it. */
  violation: { invariant: string; story: string[] } | null
  /** How often each kind of happening led to a new state. */
  kinds: Record<string, number>
}

interface Reached {
  world: World
  from: Reached | null
  what: string
}

/** Visits every state that the bounds allow, breadth first, and stops at the first one that breaks an invariant. */
export async function explore(bounds: Bounds, options: ServerOptions = {}): Promise<Exploration> {
  const server = await createModelServer(options)
  const invariants = findViolation(server, bounds)
  const first: Reached = { world: firstWorld(server), from: null, what: "login" }
  const seen = new Set([keyOf(first.world)])
  const queue = [first]
  const kinds: Record<string, number> = {}
  let steps = 0
  const result = (violation: Exploration["violation"]) => ({ states: seen.size, steps, violation, kinds })

  // `queue` grows while it is walked.
  for (const reached of queue) {
    const invariant = await invariants(reached.world)
    if (invariant) return result({ invariant, story: storyOf(reached) })
    for await (const [what, world] of happenings(server, bounds, reached.world)) {
      steps++
      const key = keyOf(world)
      if (seen.has(key)) continue
      seen.add(key)
      const kind = what.replace(/ \d+/, "")
      kinds[kind] = (kinds[kind] ?? 0) + 1
      queue.push({ world, from: reached, what })
    }
  }
  const invariant = leaked(server)
  return result(invariant ? { invariant, story: [] } : null)
}

function keyOf(world: World): string {
  const { row, past, rollbacks, late, owner, ended, forgotten, thief, requests, answers, processes } = world
  const busy = processes.map(({ request, heard }) => `${request}:${heard}`).sort()
  const parties = [owner, thief].map(
    (party) => party && `${party.token.slice(-22)} ${party.verifier} ${party.pending}`,
  )
  return [
    row,
    past,
    rollbacks,
    late,
    ended,
    forgotten,
    requests,
    answers.join(" "),
    busy.join(";"),
    ...parties,
  ].join("|")
}

function storyOf(reached: Reached): string[] {
  const story: string[] = []
  for (let at: Reached | null = reached; at; at = at.from) story.unshift(at.what)
  return story
}
