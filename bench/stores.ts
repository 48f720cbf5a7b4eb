import { exactly, p50s, print, ratio, title } from "./measure.js"
import { PLACES, type Place } from "./store-places.js"
import {
  fill,
  type Held,
  type Load,
  refreshesOf,
  SEALED,
  serverOn,
  stepsOf,
  TOKENS,
} from "./store-sessions.js"

const SMALL = 1_000
const BIG = 100_000
const ROUNDS = 30
/** Calls in one round of one subject. */
const CALLS = 100
/** Sessions for measuring bytes alone. */
const SAMPLE = 20_000
const BYTES: { [name: string]: number } = { PostgreSQL: 900, Redis: 1300 }

type Open = () => Promise<Place | null>

/** A place with so many sessions, and the bytes that one takes. */
async function filledPlace(place: Place, count: number, load: Load): Promise<{ all: Held[]; bytes: number }> {
  const before = await place.bytes()
  const all = await place.filled((store) => fill(store, count, load))
  return { all, bytes: ((await place.bytes()) - before) / count }
}

/** Refreshes one at a time: does one session in a hundred thousand cost more than one in a thousand? */
async function latency(small: Place, few: Held[], big: Place, many: Held[]): Promise<void> {
  const [less, more] = [serverOn(small.store), serverOn(big.store)]
  const { low, high } = await p50s(ROUNDS, CALLS, {
    low: refreshesOf(less, few),
    high: refreshesOf(more, many),
  })
  print(`refresh, p50: ${BIG} sessions / ${SMALL}`, ratio(high, low), "x", 1.3)
  await less.close()
  await more.close()
}

async function adapter({ store, bare }: Place, all: Held[]): Promise<void> {
  const step = stepsOf(all)
  const { ours, floor } = await p50s(ROUNDS, CALLS, {
    ours: () => {
      const next = step()
      return () => store.advance(next)
    },
    floor: () => bare(step()),
  })
  // Both must have moved their rows, or one of them was only quick to be refused.
  const { outcome } = await store.advance(step())
  if (outcome !== "advanced") throw new Error(`an advance was ${outcome}`)
  print("store.advance, p50: adapter / bare driver", ratio(ours, floor), "x", 1.15)
}

/** Opens places, and closes them whatever happens. `null` where no server is to be had. */
async function inPlaces<T>(
  open: Open,
  count: number,
  work: (places: Place[]) => Promise<T>,
): Promise<T | null> {
  const places: Place[] = []
  try {
    while (places.length < count) {
      const place = await open()
      if (!place) return null
      places.push(place)
    }
    return await work(places)
  } finally {
    for (const place of places) await place.close()
  }
}

const sampled = (open: Open, load: Load) =>
  inPlaces(open, 1, async ([place]) => (place ? (await filledPlace(place, SAMPLE, load)).bytes : Number.NaN))

async function timed(open: Open): Promise<number | null> {
  return inPlaces(open, 2, async ([small, big]) => {
    if (!small || !big) return null
    const { all: few } = await filledPlace(small, SMALL, "usual")
    const { all: many, bytes } = await filledPlace(big, BIG, "usual")
    await latency(small, few, big, many.slice(SMALL))
    await adapter(big, many.slice(0, SMALL))
    return bytes
  })
}

async function measure(name: string, open: Open): Promise<void> {
  title(`${name}: wall time of calls one after the other, and bytes of a session with its indexes`)
  const usual = await timed(open)
  const [bare, tokens] = [await sampled(open, "bare"), await sampled(open, "tokens")]
  if (usual === null || bare === null || tokens === null)
    return console.log("  NOT RUN: no server answers and no binary is installed to start one")
  print("bytes, without profile and provider's tokens", exactly(bare), "B", BYTES[name])
  print("bytes, with a sealed profile", exactly(usual), "B")
  print(`bytes, with ${TOKENS} B of the provider's tokens too`, exactly(tokens), "B")
}

for (const [name, open] of Object.entries(PLACES)) await measure(name, open)
title("the seal")
print(`${TOKENS} B of tokens, sealed / plain`, exactly(SEALED / TOKENS), "x", 1.3)
