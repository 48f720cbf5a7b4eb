const utf8 = new TextEncoder()

/**
 * Joins fields so that no two lists of fields give the same bytes: before each field its length in bytes, four bytes
 * big-endian. Text is UTF-8. Whatever is hashed, sealed or authenticated from several parts goes through here.
 */
export function lengthPrefixed(...fields: (string | Uint8Array)[]): Uint8Array {
  const parts = fields.map((field) => (typeof field === "string" ? utf8.encode(field) : field))
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0))
  const view = new DataView(joined.buffer)
  let at = 0
  for (const part of parts) {
    view.setUint32(at, part.length)
    joined.set(part, at + 4)
    at += 4 + part.length
  }
  return joined
}
