import type { JsonObject } from "./strict-json.js"

/** The protocol's own claims. `_claim_sources` may bear access tokens of other parties. */
const NOT_PROFILE = new Set(
  "iss sub aud azp exp iat nbf jti nonce at_hash c_hash s_hash sid events _claim_names _claim_sources".split(
    " ",
  ),
)

/** What the claims say of the user, later sources before earlier ones. */
export const profileOf = (...sources: JsonObject[]): Record<string, unknown> =>
  Object.fromEntries(
    sources.flatMap((claims) => Object.entries(claims)).filter(([name]) => !NOT_PROFILE.has(name)),
  )
