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

/** The three parts of a compact JWS (RFC 7515 section 3.1), and what the signature is over; or `null`. Decodes nothing. */
export function splitToken(
  token: string,
): { header: string; payload: string; signingInput: string; signature: string } | null {
  const first = token.indexOf(".")
  const second = token.indexOf(".", first + 1)
  if (first < 0 || second < 0) return null
  return {
    header: token.slice(0, first),
    payload: token.slice(first + 1, second),
    signingInput: token.slice(0, second),
    signature: token.slice(second + 1),
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
