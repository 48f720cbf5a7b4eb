import { z } from "zod"
import type { Report } from "./faults.js"
import type { PkceServerOptions } from "./options.js"
import { ENGLISH } from "./page-strings.js"

// Shapes only. What the values mean (reachable, strong, consistent) is judged in the other files of this folder.
const text = z.string().min(1)
const seconds = z.number().int()
const jwk = z.record(z.string(), z.unknown())
const callback = z.custom<(...args: unknown[]) => unknown>((value) => typeof value === "function", {
  error: "is not a function",
})

const client = {
  clientId: text.optional(),
  clientSecret: text.optional(),
  privateKey: jwk.optional(),
  clientAuthentication: z
    .enum(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
    .optional(),
  redirectUris: z.array(text).min(1).optional(),
}

const provider = {
  ...client,
  issuer: text.optional(),
  metadataUrl: text.optional(),
  metadata: z
    .looseObject({
      issuer: text,
      authorization_endpoint: text,
      token_endpoint: text,
      jwks_uri: text,
    })
    .optional(),
  clients: z.record(text, z.strictObject(client)).optional(),
  scope: text.optional(),
  authorizationParams: z.record(text, z.string()).optional(),
  audience: text.optional(),
  organization: text.optional(),
  connection: text.optional(),
  idTokenAlgorithms: z.array(text).min(1).optional(),
  trustedAudiences: z.array(text).optional(),
  maxAge: seconds.min(0).optional(),
  fetchUserinfo: z.boolean().optional(),
  nonce: z.enum(["required", "optional"]).optional(),
  maxSkew: seconds.min(0).max(300).optional(),
  revokeTokens: z.boolean().optional(),
  signedRequests: z.boolean().optional(),
  allowedEndpointHosts: z.array(text).optional(),
}

const secret = z.union([
  z.string(),
  z.undefined(),
  z.strictObject({ secret: z.string().optional(), signFrom: seconds.min(0).optional() }),
])

const STORE_METHODS = [
  "create",
  "advance",
  "find",
  "revoke",
  "listByUser",
  "revokeByUser",
  "revokeByProviderSession",
  "leaseGrant",
  "sealGrant",
  "due",
  "scan",
  "claim",
  "peek",
  "settle",
  "release",
  "take",
  "sweep",
] as const

const pageStrings = Object.fromEntries(Object.keys(ENGLISH).map((name) => [name, text]))

const isStore = (value: unknown) =>
  typeof value === "object" &&
  value !== null &&
  STORE_METHODS.every((method) => typeof (value as Record<string, unknown>)[method] === "function")

const isOpenTelemetry = (value: unknown) => {
  const { trace, metrics } = (value ?? {}) as Record<string, Record<string, unknown> | undefined>
  return [trace?.getTracer, trace?.getActiveSpan, metrics?.getMeter].every(
    (member) => typeof member === "function",
  )
}

const isKeyProvider = (value: unknown) => {
  const { current, find, wrappedBy } = (value ?? {}) as Record<string, unknown>
  const functions = [current, find, ...(wrappedBy === undefined ? [] : [wrappedBy])]
  return functions.every((member) => typeof member === "function")
}

const options = z.strictObject({
  ...provider,
  providers: z.record(text, z.strictObject(provider)).optional(),
  url: text.optional(),
  basePath: z.string().optional(),
  secrets: z.array(secret).optional(),
  retiredKids: z.array(text).optional(),
  keyProvider: z.custom(isKeyProvider, { error: "is not a key provider: give current and find" }).optional(),
  store: z
    .custom(isStore, { error: "is not a store: wrap the database, for instance in sqliteStore(...)" })
    .optional(),
  session: z
    .strictObject({
      algorithm: z.enum(["HS256", "EdDSA", "ES256"]).optional(),
      privateKey: jwk.optional(),
      audience: text.optional(),
      claims: z.array(text).optional(),
      tokenLifetime: seconds.min(30).max(3600).optional(),
      idleLifetime: seconds.min(60).optional(),
      absoluteLifetime: seconds.min(60).optional(),
    })
    .optional(),
  hosted: z
    .strictObject({
      poll: z.boolean().optional(),
      origins: z.array(text).optional(),
      name: text.max(80).optional(),
      color: z
        .string()
        .regex(/^#[0-9a-fA-F]{6}$/, { error: "is not a colour: write it as #1a2b3c" })
        .optional(),
      strings: z.record(text, z.strictObject(pageStrings).partial()).optional(),
    })
    .optional(),
  allowedOrigins: z.array(text).optional(),
  postLogoutRedirectUris: z.array(text).optional(),
  rateLimit: z
    .union(
      [z.literal(false), z.strictObject({ perMinute: z.number().positive(), burst: z.number().min(1) })],
      { error: "is neither false nor a number per minute and a burst of at least 1" },
    )
    .optional(),
  clientAddress: callback.optional(),
  onEvent: callback.optional(),
  onReuse: callback.optional(),
  onProviderGrantRevoked: z.enum(["keep", "revoke-session"]).optional(),
  openTelemetry: z
    .custom(isOpenTelemetry, {
      error: "is not OpenTelemetry: pass the namespace of @opentelemetry/api",
    })
    .optional(),
  onWarning: callback.optional(),
  allowMemoryStore: z.boolean().optional(),
  allowLoopbackHttp: z.boolean().optional(),
  allowPrivateIdp: z.boolean().optional(),
})

const KNOWN: Record<string, readonly string[]> = {
  "": Object.keys(options.shape),
  provider: Object.keys(provider),
  client: Object.keys(client),
}

/**
 * Reports every option whose shape is wrong or whose name is unknown. False where a type is wrong: what the values mean
 * cannot be judged then.
 */
export function checkShape(input: PkceServerOptions, report: Report): boolean {
  const result = options.safeParse(input)
  if (result.success) return true
  let shaped = true
  for (const issue of result.error.issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) unknownOption([...issue.path, key], report)
    } else {
      shaped &&= issue.code === "too_small" || issue.code === "too_big"
      report.fault(pathText(issue.path), ...inWords(issue))
    }
  }
  return shaped
}

const TYPES: Record<string, string> = {
  array: "a list: [ ... ]",
  string: "a text",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
}

/** The problem and its mend. zod names the types that it expected and received, never the value. */
function inWords(issue: z.core.$ZodIssue): [problem: string, mend: string] {
  if (issue.code === "too_small")
    return issue.origin === "string" || issue.origin === "array"
      ? ["is empty: is the environment variable set?", "Set it, or leave the option out."]
      : ["is too small", `The least is ${issue.minimum}.`]
  if (issue.code === "too_big")
    return issue.origin === "string"
      ? ["is too long", `The most is ${issue.maximum} characters.`]
      : ["is too big", `The most is ${issue.maximum} seconds.`]
  if (issue.code === "invalid_value")
    return ["is none of the values that it may have", `Use one of: ${issue.values.join(", ")}.`]
  const type = issue.code === "invalid_type" ? TYPES[issue.expected] : undefined
  if (type) return [`is not ${type.replace(/:.*/, "")}`, `Give ${type}.`]
  return [issue.message.replace(/^Invalid input: /, ""), "See the option's type."]
}

function unknownOption(path: readonly PropertyKey[], report: Report): void {
  const key = String(path.at(-1))
  const kind = path.length === 1 ? "" : path.includes("clients") ? "client" : "provider"
  const near = (KNOWN[kind] ?? []).find((known) => distance(known.toLowerCase(), key.toLowerCase()) <= 2)
  report.fault(pathText(path), "is not an option", near ? `Did you mean ${near}?` : "Remove it.")
}

const pathText = (path: readonly PropertyKey[]) =>
  path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    "",
  ) || "options"

/** Levenshtein distance, for "did you mean". */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
