import { fromBase64url } from "@pkce/protocol"
import { type JsonObject, parseObject } from "./strict-json.js"

const MAX_LENGTH = 16 * 1024

export interface CompactJwt {
  header: JsonObject
  claims: JsonObject
}

/**
 * The two halves of a signed JWT, unverified. E7: everything that could make verifying dear or ambiguous is refused
 * before any cryptography: size, the number of parts, text that is not canonical base64url, repeated names, depth.
 */
export function parseCompact(token: string): CompactJwt | null {
  if (token.length > MAX_LENGTH) return null
  const [head, payload, signature, ...rest] = token.split(".")
  if (!head || !payload || !signature || rest.length > 0) return null
  const header = readPart(head)
  const claims = readPart(payload)
  return header && claims && fromBase64url(signature) ? { header, claims } : null
}

function readPart(part: string): JsonObject | null {
  const bytes = fromBase64url(part)
  return bytes && parseObject(bytes)
}

/**
 * E6: parameters that change how a signature is read have no place in a token of the provider. `crit`, `b64` and `zip`
 * are never understood, `enc` is encryption, `cty` a token in a token, and `typ` says what the token was made for (RFC
 * 8725 section 3.11): it may be absent, or one of `types`, in lower case here and in any case there.
 */
export function isPlainJwt({ typ, kid, ...header }: JsonObject, types: readonly string[] = ["jwt"]): boolean {
  if (["crit", "b64", "zip", "enc", "cty"].some((name) => Object.hasOwn(header, name))) return false
  if (kid !== undefined && typeof kid !== "string") return false
  return typ === undefined || (typeof typ === "string" && types.includes(typ.toLowerCase()))
}
