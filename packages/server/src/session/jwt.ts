import { fromBase64url, toBase64url } from "@pkce/protocol"

/** Characters of a whole session token; a server's header limit is 16 KiB. */
export const MAX_TOKEN_LENGTH = 8192

/** JSON in base64url, escaped to ASCII so that neither way needs UTF-8: `btoa` and `atob` are native everywhere. */
export function encodeJson(value: unknown): string {
  const ascii = JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
  return btoa(ascii).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
}

/** The header of every token under this key, always the same bytes (RFC 9068 section 2.1). */
export const encodeHeader = (alg: string, kid: string): string => encodeJson({ alg, typ: "at+jwt", kid })

/** A token of header, payload and the signature over both (RFC 7515 section 3.1). */
export const joinToken = (signingInput: string, signature: Uint8Array): string =>
  `${signingInput}.${toBase64url(signature)}`

/** The three parts of a compact JWS, or `null`. Decodes the signature only. */
export function splitToken(
  token: string,
): { header: string; payload: string; signingInput: string; signature: Uint8Array } | null {
  const first = token.indexOf(".")
  const second = token.indexOf(".", first + 1)
  if (first < 0 || second < 0) return null
  const signature = fromBase64url(token.slice(second + 1))
  if (!signature) return null
  return {
    header: token.slice(0, first),
    payload: token.slice(first + 1, second),
    signingInput: token.slice(0, second),
    signature,
  }
}

/** The claims of a payload whose signature was found good; `null` where it is not a JSON object. */
export function decodeClaims(payload: string): Record<string, unknown> | null {
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")))
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : null
  } catch {
    return null
  }
}
