import { CHALLENGE, IDENTIFIER, VERIFIER } from "@pkce/protocol"
import { z } from "zod"
import { PkceError } from "../errors.js"

// Compiled once. Closed: an unknown name is refused (C6), so a client can never pick an issuer, a URL or a scope.
// Patterns instead of refinements: /openapi.json is made of these schemas, and JSON Schema has no word for a function.

const text = (max: number) => z.string().min(1).max(max)
const verifier = z.string().regex(VERIFIER)
const challenge = z.string().regex(CHALLENGE)
const identifier = z.string().regex(IDENTIFIER)
const bind = z.literal("cookie")

// C15: control characters, line separators and the marks that turn the direction of text.
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu
const MAX_LABEL = 256

/** A text that a person will read in a list of devices, or an operator in a log. */
const label = z.string().transform((value) =>
  // By whole characters, so that the cut leaves no half of a pair.
  [...value.replace(CONTROL, "")].slice(0, MAX_LABEL).join(""),
)

const device = z.strictObject({
  name: label.optional(),
  platform: label.optional(),
  model: label.optional(),
  app_version: label.optional(),
})

/** `POST /exchange`. The nonce's length is row C7; whether it may be left out is the provider's matter. */
export const exchangeRequest = z.strictObject({
  provider: text(140).optional(),
  code: text(4096),
  code_verifier: verifier,
  redirect_uri: text(2048),
  nonce: z.string().min(22).max(256).optional(),
  iss: text(2048).optional(),
  session_challenge: challenge.optional(),
  device: device.optional(),
  bind: bind.optional(),
})

/** `POST /start`. The state is at least as long as 128 random bits (B2); `login_hint` and `ui_locales` go to the provider. */
export const startRequest = z.strictObject({
  provider: text(140).optional(),
  delivery: z.enum(["redirect", "webview", "poll"]),
  redirect_uri: text(2048).optional(),
  state: z
    .string()
    .min(22)
    .max(256)
    .regex(/^[\w.~-]+$/),
  code_challenge: challenge,
  device: device.optional(),
  login_hint: text(256).optional(),
  ui_locales: z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9-]+( [A-Za-z0-9-]+)*$/)
    .optional(),
})

/** `POST /redeem` */
export const redeemRequest = z.strictObject({
  login_id: identifier,
  handoff: challenge,
  code_verifier: verifier,
  session_challenge: challenge.optional(),
  bind: bind.optional(),
})

/** `POST /poll` */
export const pollRequest = redeemRequest.omit({ handoff: true })

/** `POST /refresh` */
export const refreshRequest = z.strictObject({
  refresh_token: text(1024),
  session_verifier: verifier,
  session_challenge: challenge,
})

/** `POST /logout` */
export const logoutRequest = z.strictObject({
  refresh_token: text(1024).optional(),
  session_verifier: verifier.optional(),
  post_logout_redirect_uri: text(2048).optional(),
  state: text(512).optional(),
})

/** `POST /backchannel-logout`. The provider's form: what else is in it is left alone (section 2.5). */
export const backchannelLogoutRequest = z.object({ logout_token: z.string().min(1) })

/** A member that is there is never `undefined`: zod says otherwise, JSON cannot. */
export type Parsed<T extends z.ZodType> = {
  [Name in keyof z.output<T>]: Exclude<z.output<T>[Name], undefined>
}

/** The validated request, or `invalid_request` naming the members that are wrong, never their values. */
export function parseRequest<T extends z.ZodType>(schema: T, input: unknown): Parsed<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data as Parsed<T>
  const wrong = new Set<string>()
  for (const issue of result.error.issues) {
    // The names of unknown members are the sender's text, and stay out of the answer.
    if (issue.code === "unrecognized_keys") wrong.add("unknown members")
    else wrong.add(String(issue.path[0] ?? "body"))
  }
  throw new PkceError("invalid_request", { description: `Missing or malformed: ${[...wrong].join(", ")}.` })
}
