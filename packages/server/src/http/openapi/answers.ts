import { IDENTIFIER, PROTOCOL_VERSION } from "@pkce/protocol"
import { z } from "zod"

/**
 * What the routes answer, under the names of the protocol's interfaces. Open, because answers may gain members within a
 * version. A function, so that a process that is never asked for the document does not pay for them.
 */
export function answerSchemas() {
  const seconds = z.int().min(0)
  const identifier = z.string().regex(IDENTIFIER)
  const optional = z.string().exactOptional()
  const strings = z.record(z.string(), z.string())
  const delivery = z.enum(["redirect", "webview", "poll"])

  const UserInfo = z.object({ sub: z.string() }).catchall(z.unknown())
  const session = z.object({
    session_id: identifier,
    sub: z.string(),
    idp_iss: z.string(),
    idp_sub: z.string(),
    provider: z.string(),
    created_at: seconds,
    expires_at: seconds,
  })
  const SessionSummary = z.object({
    session_id: identifier,
    current: z.boolean(),
    created_at: seconds,
    last_seen_at: seconds,
    expires_at: seconds,
    device: z.object({
      name: optional,
      platform: optional,
      model: optional,
      app_version: optional,
      ip: optional,
    }),
  })
  const ConfigProvider = z.object({
    id: z.string(),
    issuer: z.string(),
    authorization_endpoint: z.string(),
    client_id: z.string(),
    scope: z.string(),
    iss_in_callback: z.boolean(),
    authorization_params: strings,
  })

  return {
    UserInfo,
    SessionSummary,
    ConfigProvider,
    ConfigAnswer: z.object({
      protocol: z.literal(PROTOCOL_VERSION),
      providers: z.array(ConfigProvider),
      hosted: z.array(delivery),
    }),
    Grant: z.object({
      session_token: optional,
      token_type: z.literal("Bearer"),
      expires_in: seconds.exactOptional(),
      refresh_token: optional,
      refresh_expires_in: seconds.exactOptional(),
      session_id: identifier,
      user_info: UserInfo.exactOptional(),
      server_time: seconds,
    }),
    SessionAnswer: z.object({ session, user_info: UserInfo }),
    SessionListAnswer: z.object({ sessions: z.array(SessionSummary) }),
    LogoutAnswer: z.object({ logout_url: optional }),
    ErrorAnswer: z.object({
      error: z.string(),
      error_description: optional,
      error_id: z.string().regex(/^[0-9a-f]{16}$/),
      retryable: z.boolean(),
      retry_after: seconds.exactOptional(),
    }),
    Jwks: z.object({
      keys: z.array(
        z.object({
          kty: z.string(),
          crv: z.string(),
          x: z.string(),
          y: optional,
          kid: z.string(),
          alg: z.enum(["EdDSA", "ES256"]),
          use: z.literal("sig"),
        }),
      ),
    }),
    StartAnswer: z.object({
      login_id: identifier,
      authorize_url: z.string(),
      expires_in: seconds,
      poll_interval: seconds,
    }),
    PendingAnswer: z.object({ status: z.literal("pending") }),
  }
}

type Schemas = ReturnType<typeof answerSchemas>

/** What the schemas say, as types: the tests compare them with the protocol's. */
export type Answers = { [Name in keyof Schemas]: z.output<Schemas[Name]> }
