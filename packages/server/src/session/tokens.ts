import { toBase64url } from "@pkce/protocol"
import { digestKey, randomBytes } from "#crypto"
import type { Config } from "../config/config.js"
import { PkceError } from "../errors.js"
import { chain } from "../runtime/awaitable.js"
import type { Awaitable } from "../runtime/crypto.js"
import type { KeyRing } from "../vault/types.js"
import { createEdDsa, createEs256 } from "./asymmetric.js"
import { createVerifiedCache } from "./cache.js"
import { createHs256 } from "./hs256.js"
import { decodeClaims, encodeJson, MAX_TOKEN_LENGTH, splitToken } from "./jwt.js"
import type { Signer } from "./signer.js"
import type { Session, SessionTokens } from "./types.js"

export interface SessionTokensOptions {
  session: Config["session"]
  ring: KeyRing
  /** Seconds since the epoch. */
  now?: () => number
}

/** The share of the lifetime that chance may take away, so that sessions that began together do not refresh together. */
const JITTER = 0.15

/**
 * Signs and verifies session tokens (RFC 9068's `typ: at+jwt`). A token is accepted only if its header is, byte for byte,
 * one that this configuration writes: `alg`, `typ` and `kid` are compared and never interpreted (RFC 8725 section 3.1).
 */
export function createSessionTokens(options: SessionTokensOptions): SessionTokens {
  const { session: config, ring } = options
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const signer = signerOf(config, ring)
  const cache = createVerifiedCache(config.tokenLifetime)
  const kidOf = headerIndex(signer)

  function verified(token: string): Awaitable<Session | null> {
    const parts = splitToken(token)
    if (!parts) return null
    return chain(kidOf(parts.header), (kid) => {
      if (kid === undefined) return null
      return chain(signer.verify(kid, parts.signingInput, parts.signature), (good) =>
        good ? sessionOf(decodeClaims(parts.payload), config) : null,
      )
    })
  }

  return {
    async sign({ sub, sid, claims, now: issuedAt, notAfter }) {
      const random = randomBytes(17)
      const lifetime = jittered(config.tokenLifetime, (random[16] ?? 0) / 255)
      const expiresIn = Math.max(0, Math.min(lifetime, notAfter - issuedAt))
      const kid = await signer.active(issuedAt)
      const payload = encodeJson({
        ...claims,
        iss: config.issuer,
        aud: config.audience,
        sub,
        sid,
        iat: issuedAt,
        exp: issuedAt + expiresIn,
        jti: toBase64url(random.subarray(0, 16)),
      })
      const signingInput = `${(await signer.headers()).get(kid)}.${payload}`
      const token = `${signingInput}.${await signer.sign(kid, signingInput)}`
      if (token.length > MAX_TOKEN_LENGTH) {
        throw new PkceError("internal", { reason: "session_token_too_large", retryable: false })
      }
      return { token, expiresIn }
    },

    verify(token) {
      if (typeof token !== "string" || token.length > MAX_TOKEN_LENGTH) return null
      return total(() =>
        chain(digestKey(token), (key) => {
          const seen = cache.get(key, now())
          if (seen !== undefined) return seen
          return chain(verified(token), (session) => session && cache.admit(key, session, now()))
        }),
      )
    },

    forget: (sid) => cache.forget(sid, now()),

    jwks: async () => ({ keys: await signer.publicKeys() }),
  }
}

function signerOf(config: Config["session"], ring: KeyRing): Signer {
  if (config.algorithm === "EdDSA") return createEdDsa(ring)
  if (config.algorithm === "ES256") return createEs256(config.privateKey ?? {})
  return createHs256(ring)
}

/** F8: the key of a header that we write, by its whole text; anything else is not ours, whatever it says. */
function headerIndex(signer: Signer): (header: string) => Awaitable<string | undefined> {
  let index: Map<string, string> | undefined
  return (header) => {
    if (index) return index.get(header)
    return chain(signer.headers(), (headers) => {
      index = new Map([...headers].map(([kid, text]) => [text, kid]))
      return index.get(header)
    })
  }
}

/** E17: our own tokens of another kind, or for another audience, are no session. */
function sessionOf(claims: Record<string, unknown> | null, config: Config["session"]): Session | null {
  if (!claims) return null
  const { iss, aud, sid, exp, iat, jti, ...user } = claims
  if (iss !== config.issuer || aud !== config.audience) return null
  if (!isUser(user) || typeof sid !== "string" || typeof jti !== "string") return null
  if (typeof exp !== "number" || typeof iat !== "number") return null
  // Frozen, because the cache gives the same object to every request that bears this token.
  return Object.freeze({ id: sid, user: frozen(user), expiresAt: exp })
}

const isUser = (claims: Record<string, unknown>): claims is Session["user"] => typeof claims.sub === "string"

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === "object" && member !== null) frozen(member)
  }
  return Object.freeze(value)
}

/** `chance` is from 0 to 1. */
const jittered = (lifetime: number, chance: number): number => Math.floor(lifetime * (1 - JITTER * chance))

/** Never throws and never rejects: a token that cannot be checked is not a session. */
function total(check: () => Awaitable<Session | null>): Awaitable<Session | null> {
  try {
    const answer = check()
    return answer instanceof Promise ? answer.catch(() => null) : answer
  } catch {
    return null
  }
}
