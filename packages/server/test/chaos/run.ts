import { Agent } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { random, startServer, wire } from "../support/server.js"
import { startFleet } from "./fleet.js"
import { live, type Network, type Person, person, refreshOnce } from "./people.js"
import { startProxy } from "./proxy.js"
import { openStore, type Place } from "./stores.js"

/** What goes wrong with the store, again and again. Resolves when the store can be asked again. */
export type Disaster = () => Promise<void>

export interface ChaosOptions {
  place: Place
  disaster?: { every: number; strike: Disaster }
  /** Called once when everybody has logged in: what must survive is written by then. */
  ready?: () => Promise<void>
  strict?: boolean
}

export interface Figures {
  seconds: number
  refreshes: number
  kills: number
  disasters: number
  dropped: number
  doubled: number
  late: number
  repeats: number
  forwards: number
  thefts: number
  detected: number
  /** Honest clients that were told that their session has ended. */
  loggedOut: string[]
}

const setting = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise)

/** How long a run lasts and how many take part: small by default, more by `scripts/chaos.mjs`. */
export const SECONDS = setting("CHAOS_SECONDS", 8)
const CLIENTS = setting("CHAOS_CLIENTS", 100)
const WORKERS = 3
const KILL_EVERY = 400
/** Refreshes that must have gone well between two blows of a kind. */
const BETWEEN = 30
/** Of the people, this share has a thief. */
const THEFTS = 0.3
/** A line that lost its commits proves nothing for as many steps: both parties need as many to meet. */
const ROUNDS = 60

/** Logs everybody in, lets it all go wrong for a while, heals it, and says what became of whom. */
export async function chaos({ place, disaster, ready, strict = false }: ChaosOptions): Promise<Figures> {
  const { store, close } = await openStore(place)
  const secret = random()
  const { idp, auth, login } = await startServer({ store, secrets: [secret] })
  const people: Person[] = []
  for (let i = 0; i < CLIENTS; i++) {
    const finished = login()
    const grant = await auth.exchange(wire(finished))
    people.push(person(grant.refresh_token ?? "", finished.verifier))
  }
  await ready?.()

  const fleet = await startFleet(WORKERS, { place, options: { ...idp.options(), secrets: [secret] }, strict })
  const proxy = await startProxy(fleet.ports)
  const network: Network = { port: proxy.port, agent: new Agent({ keepAlive: true }) }
  const robbed = people.slice(0, Math.floor(CLIENTS * THEFTS))
  const honest = people.slice(robbed.length)
  const thieves = new Map<Person, Person>()
  let [kills, disasters, over] = [0, 0, false]

  const refreshed = () => people.reduce((sum, { refreshes }) => sum + refreshes, 0)
  // A machine that is slow gets less to suffer, not less done: no blow falls before the last one has been lived through.
  async function every(milliseconds: number, strike: () => void | Promise<void>): Promise<void> {
    let before = refreshed()
    while (!over) {
      await sleep(milliseconds)
      if (over || refreshed() - before < BETWEEN) continue
      await strike()
      before = refreshed()
    }
  }
  async function rob(victim: Person): Promise<void> {
    await sleep(Math.random() * SECONDS * 700)
    const thief = { ...victim, ended: null, refreshes: 0 }
    // One in two copies the record only, so that the next verifier is of the thief's own drawing.
    if (Math.random() < 0.5) thief.pending = null
    thieves.set(victim, thief)
    await live(thief, network, () => over)
  }

  const started = Date.now()
  const enough = () => {
    const done = (Date.now() - started) / 1000 >= SECONDS && kills >= 5 && proxy.dropped >= 20
    return (
      done && (!disaster || disasters >= 2) && people.every(({ refreshes, ended }) => refreshes > 0 || ended)
    )
  }
  try {
    const lives = [
      ...people.map((who) => live(who, network, () => over)),
      ...robbed.map(rob),
      every(KILL_EVERY, () => void (fleet.killOne() && kills++)),
      ...(disaster ? [every(disaster.every, () => disaster.strike().then(() => void disasters++))] : []),
    ]
    while (!(strict ? honest.some(({ ended }) => ended) : enough())) await sleep(50)
    over = true
    proxy.heal()
    await Promise.all(lives)
    const seconds = Math.round((Date.now() - started) / 1000)

    if (!strict) {
      // I3: with the network healed, everybody goes on.
      await Promise.all(honest.map((who) => refreshOnce(who, network)))
      await Promise.all([...thieves].map((both) => confront(both, network)))
    }
    const caught = [...thieves].filter((both) => both.some(({ ended }) => ended !== null))
    return {
      seconds,
      refreshes: refreshed(),
      kills,
      disasters,
      ...{ dropped: proxy.dropped, doubled: proxy.doubled, late: proxy.late },
      ...{ repeats: fleet.said.repeat, forwards: fleet.said.forward },
      ...{ thefts: thieves.size, detected: caught.length },
      loggedOut: honest.flatMap(({ ended }) => ended ?? []),
    }
  } finally {
    over = true
    network.agent.destroy()
    await proxy.close()
    await fleet.close()
    await auth.close()
    await idp.close()
    await close()
  }
}

/** Lets owner and thief both go on, in turn, until one of them is told. */
async function confront([owner, thief]: [Person, Person], network: Network): Promise<void> {
  for (let round = 0; round < ROUNDS && owner.ended === null && thief.ended === null; round++) {
    await refreshOnce(owner, network)
    await refreshOnce(thief, network)
  }
}
