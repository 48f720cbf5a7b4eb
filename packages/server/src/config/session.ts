import type { Config } from "./config.js"
import type { Report } from "./faults.js"
import type { SessionOptions } from "./options.js"

const DAY = 86_400
const OWN_CLAIMS = new Set(["iss", "aud", "sub", "sid", "iat", "exp", "nbf", "jti", "cnf"])

export function readSession(
  options: SessionOptions = {},
  url: string | null,
  report: Report,
): Config["session"] {
  const { algorithm = "HS256", privateKey, claims = [] } = options
  if (algorithm !== "HS256" && url === null)
    report.fault(
      "url",
      `is missing for ${algorithm}`,
      "Give the public URL of the mount: it is the tokens' iss.",
    )
  if (algorithm === "ES256") {
    if (privateKey === undefined)
      report.fault("session.privateKey", "is missing for ES256", "Give a private P-256 JWK, or use EdDSA.")
    else if (privateKey.kty !== "EC" || privateKey.crv !== "P-256" || typeof privateKey.d !== "string")
      report.fault(
        "session.privateKey",
        "is not a private P-256 JWK",
        'It has kty "EC", crv "P-256", x, y and d.',
      )
  } else if (privateKey !== undefined) {
    report.fault("session.privateKey", `is of no use with ${algorithm}`, "Remove it: the key is derived.")
  }
  for (const claim of claims) {
    if (OWN_CLAIMS.has(claim))
      report.fault("session.claims", "names a claim of the token itself", "Remove it: it is always there.")
  }
  const absoluteLifetime = options.absoluteLifetime ?? 90 * DAY
  const idleLifetime = options.idleLifetime ?? Math.min(30 * DAY, absoluteLifetime)
  if (idleLifetime > absoluteLifetime)
    report.fault("session.idleLifetime", "is longer than absoluteLifetime", "Make it the shorter of the two.")
  const issuer = url ?? "pkce"
  return {
    issuer,
    audience: options.audience ?? issuer,
    algorithm,
    privateKey: privateKey ?? null,
    claims,
    tokenLifetime: options.tokenLifetime ?? 300,
    idleLifetime,
    absoluteLifetime,
  }
}
