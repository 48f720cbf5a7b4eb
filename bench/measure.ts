/** A figure of several rounds: the middle one, and the borders of the middle four fifths. */
export interface Spread {
  median: number
  low: number
  high: number
}

const WARM_UPS = 3

/**
 * Costs of the subjects, one for each round. All of them run in every round, each time in another order, so that what slows
 * the machine slows all. Only ratios within a round mean anything; the first rounds warm up and are thrown away.
 */
export async function interleave<Name extends string>(
  rounds: number,
  subjects: Record<Name, () => Promise<number> | number>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(subjects) as Name[]
  const costs = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = -WARM_UPS; round < rounds; round++) {
    const shift = (round + WARM_UPS) % names.length
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
      const cost = await subjects[name]()
      if (round >= 0) costs[name].push(cost)
    }
  }
  return costs
}

/** What one subject costs in units of another, round by round. */
export const ratio = (costs: number[], floors: number[]): Spread =>
  spread(costs.map((cost, round) => cost / (floors[round] ?? Number.NaN)))

function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
  return { median: at(0.5), low: at(0.1), high: at(0.9) }
}

/** Microseconds of this process's time on a core, of all its threads. */
export async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/**
 * Milliseconds of single calls, one after the other and the subjects in turn: the median of each round. A subject prepares
 * its call, and only the call is timed.
 */
export async function p50s<Name extends string>(
  rounds: number,
  calls: number,
  subjects: Record<Name, () => () => unknown>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(subjects) as Name[]
  const medians = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = -WARM_UPS; round < rounds; round++) {
    const times = names.map((name) => [name, [] as number[]] as const)
    for (let i = 0; i < calls; i++) {
      for (const [name, taken] of i % 2 === 0 ? times : times.toReversed()) {
        const call = subjects[name]()
        const started = performance.now()
        await call()
        taken.push(performance.now() - started)
      }
    }
    if (round >= 0) for (const [name, taken] of times) medians[name].push(spread(taken).median)
  }
  return medians
}

export const title = (text: string): void => console.log(`\n${text}`)

/** The loud words of a missed budget; main.ts repeats the lines that bear them. */
export const OVER = "OVER BUDGET"

/** One line of the report. A figure without a budget is there to explain others. */
export function print(what: string, { median, low, high }: Spread, unit: "x" | "B", budget?: number): void {
  const text = (value: number) => (unit === "B" ? String(Math.round(value)) : value.toFixed(2))
  const range = low === high ? "" : `(${text(low)} to ${text(high)})`
  const line = `  ${what.padEnd(52)} ${text(median).padStart(6)} ${unit}  ${range.padEnd(18)}`
  const judged = budget === undefined ? "" : ` budget ${budget}${median > budget ? `  ${OVER}` : ""}`
  console.log(`${line}${judged}`.trimEnd())
}

export const exactly = (value: number): Spread => ({ median: value, low: value, high: value })
