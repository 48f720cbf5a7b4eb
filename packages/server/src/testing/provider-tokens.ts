import { createHash, randomBytes } from "node:crypto"
import type { FakeAnswer } from "./provider-server.js"
import type { FakeGrant, FakeProviderOptions } from "./provider-types.js"

const random = () => randomBytes(32).toString("base64url")
export const s256 = (text: string) => createHash("sha256").update(text).digest("base64url")
export const refuse = (error: string, status = 400): FakeAnswer => ({ status, json: { error } })

/** What one login has granted to one client. */
interface Granted extends FakeGrant {
  sub: string
  clientId: string
  ended: boolean
  /** Refresh tokens that were used, with what came in their place. */
  spent: Map<string, { successor: string; at: number }>
}

export interface TokenDependencies
  extends Pick<FakeProviderOptions, "refreshTokens" | "accessTokenLifetime"> {
  /** Seconds. */
  now: () => number
  /** Signs an ID token. */
  idToken(grant: FakeGrant & { sub: string; clientId: string }): string
}

/** The codes, access tokens and refresh tokens of the fake provider. */
export function createFakeTokens({ now, idToken, refreshTokens, accessTokenLifetime }: TokenDependencies) {
  const { rotation = "none", graceSeconds = 30 } = refreshTokens ?? {}
  const lifetime = accessTokenLifetime ?? 3600
  const codes = new Map<string, FakeGrant>()
  const accessTokens = new Map<string, { granted: Granted; until: number }>()
  const byRefreshToken = new Map<string, Granted>()

  function newRefreshToken(granted: Granted): string {
    const token = `rt-${random()}`
    byRefreshToken.set(token, granted)
    return token
  }

  function answer(
    granted: Granted,
    id: string,
    scope: string | undefined,
    refreshToken?: string,
  ): FakeAnswer {
    const access_token = `at-${random()}`
    accessTokens.set(access_token, { granted, until: now() + lifetime })
    const json = { access_token, token_type: "Bearer", expires_in: lifetime, id_token: id }
    return {
      headers: { "cache-control": "no-store" },
      json: {
        ...json,
        ...(scope === undefined ? {} : { scope }),
        ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
      },
    }
  }

  return {
    issueCode(grant: FakeGrant): string {
      const code = `code-${random()}`
      codes.set(code, grant)
      return code
    },

    redeem(fields: URLSearchParams, clientId: string, defaultClientId: string): FakeAnswer {
      const code = fields.get("code") ?? ""
      const grant = codes.get(code)
      // A code is spent by its first use, also by a wrong one (RFC 6749 section 4.1.2).
      codes.delete(code)
      const matches =
        grant?.redirectUri === fields.get("redirect_uri") &&
        grant?.codeChallenge === s256(fields.get("code_verifier") ?? "") &&
        (grant?.clientId ?? defaultClientId) === clientId
      if (!grant || !matches) return refuse("invalid_grant")
      const granted: Granted = {
        ...grant,
        sub: grant.sub ?? "user-1",
        clientId,
        ended: false,
        spent: new Map(),
      }
      const offline = refreshTokens !== undefined || scopesOf(grant.scope).includes("offline_access")
      const refreshToken = offline ? newRefreshToken(granted) : undefined
      return answer(granted, idToken(granted), grant.scope, refreshToken)
    },

    refresh(fields: URLSearchParams, clientId: string): FakeAnswer {
      const token = fields.get("refresh_token") ?? ""
      const granted = byRefreshToken.get(token)
      if (!granted || granted.ended || granted.clientId !== clientId) return refuse("invalid_grant")
      const before = granted.spent.get(token)
      if (before && !(rotation === "grace" && now() - before.at < graceSeconds)) {
        // RFC 9700 section 4.14.2: whoever uses a spent token, one of the two is a thief.
        granted.ended = true
        return refuse("invalid_grant")
      }
      const asked = fields.get("scope")
      const has = scopesOf(granted.scope)
      if (asked !== null && !scopesOf(asked).every((one) => has.includes(one))) return refuse("invalid_scope")
      let successor = before?.successor
      if (rotation !== "none" && successor === undefined) {
        successor = newRefreshToken(granted)
        granted.spent.set(token, { successor, at: now() })
      }
      // OpenID Connect Core section 12.2: without the nonce, which was of the login's one request.
      const { nonce: _, ...rest } = granted
      return answer(granted, idToken(rest), asked ?? granted.scope, successor)
    },

    /** RFC 7009: what is no token of ours is no error. A refresh token takes its access tokens with it. */
    revoke(fields: URLSearchParams, clientId: string): FakeAnswer {
      const token = fields.get("token") ?? ""
      const granted = byRefreshToken.get(token) ?? accessTokens.get(token)?.granted
      if (granted && granted.clientId !== clientId) return refuse("invalid_grant")
      if (byRefreshToken.has(token) && granted) granted.ended = true
      accessTokens.delete(token)
      return { status: 200 }
    },

    /** The claims of the user whose access token this is. */
    userinfo(accessToken: string): FakeAnswer {
      const found = accessTokens.get(accessToken)
      if (!found || found.granted.ended || now() >= found.until) return refuse("invalid_token", 401)
      return { json: { ...found.granted.claims, sub: found.granted.sub } }
    },

    revokeUser(sub: string): void {
      const all = [...byRefreshToken.values(), ...[...accessTokens.values()].map(({ granted }) => granted)]
      for (const granted of all) if (granted.sub === sub) granted.ended = true
    },
  }
}

const scopesOf = (scope: string | undefined): string[] => scope?.split(" ").filter(Boolean) ?? []
