import { createPublicKey, verify } from "node:crypto"
import type { FakeClient } from "./provider-types.js"

export interface Presented {
  authorization: string | undefined
  fields: URLSearchParams
}

/**
 * The client that a request proves to come from, or `null`. `audiences`: those that an assertion may name; `now` in
 * seconds.
 */
export function authenticateClient(
  clients: readonly FakeClient[],
  methods: readonly string[],
  { authorization, fields }: Presented,
  audiences: readonly string[],
  now: number,
): FakeClient | null {
  const find = (id: string | null) => clients.find((client) => client.clientId === id) ?? null
  const basic = /^Basic (.+)$/.exec(authorization ?? "")?.[1]
  const assertion = fields.get("client_assertion")
  const secret = fields.get("client_secret")
  if ([basic, assertion, secret].filter((way) => typeof way === "string").length > 1) return null

  if (basic !== undefined) {
    const [id = "", password = ""] = Buffer.from(basic, "base64").toString().split(":").map(formDecode)
    const client = find(id)
    return methods.includes("client_secret_basic") && client?.clientSecret === password ? client : null
  }
  const client = find(fields.get("client_id"))
  if (assertion !== null)
    return methods.includes("private_key_jwt") && client && proves(assertion, client, audiences, now)
      ? client
      : null
  if (secret !== null)
    return methods.includes("client_secret_post") && client?.clientSecret === secret ? client : null
  const isPublic = client?.clientSecret === undefined && client?.publicKey === undefined
  return methods.includes("none") && isPublic ? client : null
}

const formDecode = (text: string) => decodeURIComponent(text.replace(/\+/g, " "))

function proves(
  assertion: string,
  { clientId, publicKey }: FakeClient,
  audiences: readonly string[],
  now: number,
): boolean {
  const [header = "", payload = "", signature = ""] = assertion.split(".")
  if (!publicKey) return false
  const key = { key: createPublicKey({ key: publicKey, format: "jwk" }), dsaEncoding: "ieee-p1363" } as const
  const digest = key.key.asymmetricKeyType === "ed25519" ? null : "sha256"
  if (!verify(digest, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url")))
    return false
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString())
  const fresh = claims.exp > now && claims.exp < now + 300
  return (
    claims.iss === clientId &&
    claims.sub === clientId &&
    audiences.includes(claims.aud) &&
    !!claims.jti &&
    fresh
  )
}
