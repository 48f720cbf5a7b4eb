import { expect, it } from "vitest"
import type { z } from "zod"
import * as schemas from "../../src/http/schemas.js"
import { createPkceServer } from "../../src/server.js"
import { random, s256 } from "../support/server.js"
import { documentOf, validatorOf } from "./checker.js"

const redeem = { login_id: "A".repeat(22), code_verifier: random() }
const valid: Record<string, [z.ZodType, Record<string, unknown>]> = {
  ExchangeRequest: [
    schemas.exchangeRequest,
    { code: "code", code_verifier: random(), redirect_uri: "com.example.app://callback", nonce: random() },
  ],
  RefreshRequest: [
    schemas.refreshRequest,
    { refresh_token: "r1", session_verifier: random(), session_challenge: s256(random()) },
  ],
  LogoutRequest: [schemas.logoutRequest, {}],
  BackchannelLogoutRequest: [schemas.backchannelLogoutRequest, { logout_token: "a.b.c" }],
  StartRequest: [
    schemas.startRequest,
    { delivery: "redirect", state: random(), code_challenge: s256(random()) },
  ],
  RedeemRequest: [schemas.redeemRequest, { ...redeem, handoff: s256(random()) }],
  PollRequest: [schemas.pollRequest, redeem],
}

/** Lengths on both sides of every limit, in characters that some of the grammars have and others have not. */
const LENGTHS = [1, 22, 43, 128, 140, 256, 512, 1024, 2048, 4096].flatMap((n) => [n - 1, n, n + 1])
// JSON Schema counts characters and the server counts UTF-16 units: beyond the basic plane the server is the stricter.
const TEXTS = ["A", "B", "-", "_", "~", "+", "/", " ", "=", "ä", "\n", "\u2028"].flatMap((character) =>
  LENGTHS.flatMap((length) => [
    character.repeat(length),
    `${"A".repeat(Math.max(0, length - 1))}${character}`,
  ]),
)
const OTHERS = [null, true, 0, 1.5, [], {}, ["cookie"], { name: "x" }, { name: 1 }, { ip: "192.0.2.0" }]
const WORDS = ["cookie", "redirect", "webview", "poll", "Poll", "de", "de-CH fr", "de  fr", " de"]
const VALUES = [...TEXTS, ...OTHERS, ...WORDS]

it.each(Object.entries(valid))(
  "the document and the server agree on every %s",
  async (name, [schema, base]) => {
    const auth = createPkceServer({
      issuer: "https://idp.example.com/",
      clientId: "app",
      redirectUris: ["com.example.app://callback"],
      secrets: [random()],
      url: "https://api.example.com/auth",
      hosted: {},
      onWarning: () => undefined,
    })
    const document = await documentOf(auth)
    await auth.close()
    const validate = validatorOf(document, { closed: false })
    const judged = (input: unknown) => ({
      document: validate(`/components/schemas/${name}`, input).length === 0,
      server: schema.safeParse(input).success,
    })
    const { properties } = document.components.schemas[name] as { properties: object }
    const members = Object.keys(properties)
    expect(judged(base)).toEqual({ document: true, server: true })

    const without = members.map((member) => {
      const { [member]: _, ...rest } = base
      return rest
    })
    const inputs = [
      ...without,
      ...[...members, "unknown", "ip"].flatMap((member) =>
        VALUES.map((value) => ({ ...base, [member]: value })),
      ),
    ]
    const verdicts = inputs.map((input) => ({ input, ...judged(input) }))
    expect(verdicts.filter(({ document, server }) => document !== server)).toEqual([])
    // Every member has been both taken and refused, so no verdict is one of always or never.
    for (const member of members) {
      const own = verdicts.filter(({ input }) => input[member] !== base[member]).map(({ server }) => server)
      expect([member, new Set(own).size]).toEqual([member, 2])
    }
  },
)
