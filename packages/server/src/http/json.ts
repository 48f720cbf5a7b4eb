import { parseObject } from "../provider/strict-json.js"

/** GR5: a request of ours never nests deeper than two. */
const MAX_DEPTH = 8

/**
 * The object that a request's body spells, or `null`: bad UTF-8, bad JSON, a name twice, `__proto__`, deep nesting, or
 * text that no UTF-8 can carry (a lone surrogate, which two stores would keep as two different things).
 */
export function parseJsonBody(bytes: Uint8Array): { [name: string]: unknown } | null {
  const value = parseObject(bytes, MAX_DEPTH)
  return value !== null && isWellFormed(value) ? value : null
}

/** Whether every text in the value, names included, has no lone surrogate. Depth is bounded as above. */
export function isWellFormed(value: unknown, depth = MAX_DEPTH): boolean {
  if (typeof value === "string") return !LONE_SURROGATE.test(value)
  if (typeof value !== "object" || value === null) return true
  if (depth === 0) return false
  return Object.entries(value).every(
    ([name, member]) => !LONE_SURROGATE.test(name) && isWellFormed(member, depth - 1),
  )
}

// With the u flag a pair is one character, so what is left of this class stands alone.
const LONE_SURROGATE = /[\ud800-\udfff]/u
