import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto"

type Algorithm = "RS256" | "ES256" | "EdDSA"

export interface FakeKey {
  kid: string
  alg: Algorithm
  privateKey: KeyObject
  publicJwk: { [member: string]: unknown }
}

let made = 0
let firstRsa: ReturnType<typeof rsa> | undefined

const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 })

function pair(alg: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" })
  if (alg === "EdDSA") return generateKeyPairSync("ed25519")
  // An RSA key takes a tenth of a second: the first is made once for all providers of the process.
  if (firstRsa) return rsa()
  firstRsa = rsa()
  return firstRsa
}

export function makeKey(alg: Algorithm, shared = false): FakeKey {
  const { privateKey, publicKey } = shared && alg === "RS256" && firstRsa ? firstRsa : pair(alg)
  const kid = `key-${++made}`
  return { kid, alg, privateKey, publicJwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" } }
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** Signs by the type of the key, whatever the header claims: an attacker's header is only text. */
export function signCompact(header: unknown, claims: unknown, key: KeyObject): string {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${signature(input, key).toString("base64url")}`
}

function signature(input: string, key: KeyObject): Buffer {
  if (key.type === "secret") return createHmac("sha256", key).update(input).digest()
  const data = Buffer.from(input)
  if (key.asymmetricKeyType === "ed25519") return sign(null, data, key)
  return sign("sha256", data, { key, dsaEncoding: "ieee-p1363" })
}
