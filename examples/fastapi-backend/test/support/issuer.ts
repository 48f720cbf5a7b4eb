import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface Key {
  kid: string
  privateKey: KeyObject
  /** As `/jwks.json` has it. */
  jwk: { [member: string]: unknown }
}

export function createKey(kid: string): Key {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  return {
    kid,
    privateKey,
    jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "EdDSA" },
  }
}

export interface Issuer {
  url: string
  /** What `/jwks.json` answers with from now on; `null` for 503. */
  publish(keys: Key[] | null): void
  /** How often it was asked. */
  asked(): number
  close(): Promise<void>
}

/** Publishes keys, and can change and lose them as no test could make a real backend do. */
export async function startIssuer(keys: Key[] | null): Promise<Issuer> {
  let published = keys
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.writeHead(published ? 200 : 503, { "content-type": "application/json" })
    response.end(JSON.stringify({ keys: (published ?? []).map(({ jwk }) => jwk) }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`,
    publish(next) {
      published = next
    },
    asked: () => asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Part = { [member: string]: unknown }

const encode = (value: Part) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A compact JWS (RFC 7515 section 3.1) with a signature that `make` computes. */
export function joined(header: Part, claims: Part, make: (input: Buffer) => Buffer): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${make(Buffer.from(input)).toString("base64url")}`
}

/** A session token as the backend makes them, but for what is changed; `undefined` leaves a member out. */
export function tokenOf(key: Key, issuer: string, claims: Part = {}, header: Part = {}): string {
  const now = Math.floor(Date.now() / 1000)
  return joined(
    { alg: "EdDSA", typ: "at+jwt", kid: key.kid, ...header },
    {
      iss: issuer,
      aud: issuer,
      sub: "ada",
      sid: "s".repeat(22),
      iat: now,
      exp: now + 300,
      jti: "j",
      ...claims,
    },
    (input) => sign(null, input, key.privateKey),
  )
}
