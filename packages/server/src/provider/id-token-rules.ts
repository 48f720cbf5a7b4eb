import { toBase64url } from "@pkce/protocol"
import { equal } from "#crypto"
import { type Algorithm, algorithmOf } from "./algorithms.js"
import type { Refusal } from "./failures.js"
import type { SignaturePolicy } from "./signature.js"
import type { JsonObject } from "./strict-json.js"
import { type AudiencePolicy, audienceFlaw, isSubject, timeFlaw } from "./token-rules.js"

/** What every ID token of a provider is held to, at login and at each refresh. */
export interface IdTokenPolicy extends SignaturePolicy, AudiencePolicy {
  issuer: string
  organization: string | null
  /** Seconds. */
  maxSkew: number
}

/** Who made it, for whom, about whom, when. `now` in seconds. */
export function claimsReason(claims: JsonObject, policy: IdTokenPolicy, now: number): Refusal | undefined {
  // E17: a logout token has all that an ID token has, and `events`.
  if (claims.events !== undefined) return "id_token_not_an_id_token"
  if (claims.iss !== policy.issuer) return "id_token_iss_mismatch"
  const audience = audienceFlaw(claims, policy)
  if (audience) return `id_token_${audience}`
  if (!isSubject(claims.sub)) return "id_token_sub_invalid"
  const { maxSkew } = policy
  const time = timeFlaw(claims, { maxSkew, lateness: maxSkew }, now)
  return time && `id_token_${time}`
}

/** Auth0: ids begin with "org_" and are exact, names are case-insensitive. */
export function organizationReason(
  { org_id: orgId, org_name: orgName }: JsonObject,
  { organization }: IdTokenPolicy,
): Refusal | undefined {
  if (organization === null) return undefined
  const matches = organization.startsWith("org_")
    ? orgId === organization
    : typeof orgName === "string" && orgName.toLowerCase() === organization.toLowerCase()
  return matches ? undefined : "id_token_organization_mismatch"
}

/** E13: the left half of the hash of `value`; optional in the code flow, and right where it is there. */
export async function hashReason(claim: unknown, value: string, alg: unknown): Promise<Refusal | undefined> {
  const kind = algorithmOf(alg)
  if (claim === undefined || !kind) return undefined
  const half = await leftHalf(value, kind.hash)
  return typeof claim === "string" && same(claim, half) ? undefined : "id_token_hash_mismatch"
}

async function leftHalf(value: string, hash: Algorithm["hash"]): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(value)))
  return toBase64url(digest.subarray(0, digest.length / 2))
}

export function same(a: string, b: string): boolean {
  const encoder = new TextEncoder()
  return equal(encoder.encode(a), encoder.encode(b))
}
