export type JsonObject = { [name: string]: unknown }

const [QUOTE, BACKSLASH, COMMA, OBJECT, OBJECT_END, LIST, LIST_END] = [34, 92, 44, 123, 125, 91, 93] as const

const decoder = new TextDecoder("utf-8", { fatal: true })

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * The object that the bytes spell, or `null` for anything else: bad UTF-8, bad JSON, another type at the top, deep
 * nesting, `__proto__`, or a name that one object has twice (two readers would see two different answers).
 */
export function parseObject(bytes: Uint8Array, maxDepth = 16): JsonObject | null {
  try {
    const text = decoder.decode(bytes)
    if (!wellShaped(text, maxDepth)) return null
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

/** One pass over the text, which need not be JSON: whatever this misreads, `JSON.parse` refuses. */
function wellShaped(text: string, maxDepth: number): boolean {
  const open: (Set<string> | null)[] = []
  let nameNext = false
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) {
      const end = endOfString(text, at)
      if (end < 0) return false
      const names = open.at(-1)
      if (names && nameNext) {
        const name = nameOf(text.slice(at, end + 1))
        if (name === "__proto__" || names.has(name)) return false
        names.add(name)
        nameNext = false
      }
      at = end
    } else if (char === OBJECT || char === LIST) {
      if (open.length === maxDepth) return false
      nameNext = char === OBJECT
      open.push(nameNext ? new Set() : null)
    } else if (char === OBJECT_END || char === LIST_END) {
      open.pop()
      nameNext = false
    } else if (char === COMMA) {
      nameNext = open.at(-1) instanceof Set
    }
  }
  return true
}

/** Two spellings of one name are one name. */
const nameOf = (quoted: string): string =>
  quoted.includes("\\") ? String(JSON.parse(quoted)) : quoted.slice(1, -1)

/** The closing quote: the next one that has an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end > 0; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text.charCodeAt(before - 1) === BACKSLASH) before--
    if ((end - before) % 2 === 0) return end
  }
  return -1
}
