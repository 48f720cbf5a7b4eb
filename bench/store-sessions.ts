import { randomBytes } from "node:crypto"
import { createPkceServer } from "../packages/server/src/server.js"
import type { PkceServer } from "../packages/server/src/server-types.js"
import { createSessionLine } from "../packages/server/src/session/line.js"
import type { Advance, NewSession, Store } from "../packages/server/src/stores/contract.js"
import { memoryStore } from "../packages/server/src/stores/memory.js"
import { realistic } from "../packages/server/src/stores/realistic.fixture.js"
import { createKeyRing } from "../packages/server/src/vault/keyring.js"
import { createVault } from "../packages/server/src/vault/seal.js"
import { random, s256 } from "./random.js"

const DAY = 86_400
const AT_ONCE = 64

const secret = random()
const ring = createKeyRing([{ secret, signFrom: 0 }], [])
// Only to begin lines as a login does: the store that it is given is never asked.
const line = createSessionLine({
  ring,
  store: memoryStore(),
  emit: () => undefined,
  idleSeconds: 30 * DAY,
  onReuse: () => undefined,
})

/** What a provider gives, as JSON about 2 kB; its length, and its length when sealed. */
const tokens = { access_token: random().repeat(25), id_token: random().repeat(20), refresh_token: random() }
const context = { purpose: "idp-tokens", issuer: realistic.idpIss, subject: "", sid: "", rev: 0 } as const
export const TOKENS = JSON.stringify(tokens).length
export const SEALED = (await createVault(ring).seal(tokens, context)).length

/** What a row carries beside its line. `usual`: a sealed profile of one block; sealed values are as good as random. */
export type Load = "bare" | "usual" | "tokens"
const LOADS: Record<Load, () => Pick<NewSession, "profile" | "grant">> = {
  bare: () => ({ profile: new Uint8Array(), grant: null }),
  usual: () => ({ profile: randomBytes(realistic.profile.length), grant: null }),
  tokens: () => ({ profile: randomBytes(realistic.profile.length), grant: randomBytes(SEALED) }),
}

/** A session as its app knows it, and what the row began with. */
export interface Held {
  sid: string
  cur: Uint8Array
  refreshToken: string
  verifier: string
}

async function begin(load: Load): Promise<{ row: NewSession; held: Held }> {
  const sid = randomBytes(16).toString("base64url")
  const verifier = random()
  const login = { sid, code: random(), codeVerifier: random(), challenge: s256(verifier) }
  const { cur, history, refreshToken } = await line.begin({ kid: await ring.active(), ...login })
  const row: NewSession = {
    ...{ sid, cur, history, provider: "default", idpSid: null, grantRev: 0, grantDueSeconds: null },
    ...{ ...realistic, ...LOADS[load](), sub: random(), idpSub: `auth0|${randomBytes(12).toString("hex")}` },
    ...{ idleSeconds: 30 * DAY, absoluteSeconds: 90 * DAY, notAfter: Number.MAX_SAFE_INTEGER },
  }
  return { row, held: { sid, cur, refreshToken, verifier } }
}

/** Logs so many people in, each a user of their own, by the store's own `create`. */
export async function fill(store: Store, count: number, load: Load): Promise<Held[]> {
  const all: Held[] = []
  let left = count
  async function work(): Promise<void> {
    while (left-- > 0) {
      const { row, held } = await begin(load)
      const { outcome } = await store.create(row)
      if (outcome !== "created") throw new Error(`create was ${outcome}`)
      all.push(held)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return all
}

/** A whole server on the store. Its provider is never asked by a refresh. */
export const serverOn = (store: Store): PkceServer =>
  createPkceServer({
    ...{ issuer: "https://issuer.example.com/", clientId: "app", clientSecret: random() },
    ...{ redirectUris: ["com.example.app://callback"], secrets: [secret], store, onEvent: () => undefined },
  })

const anyOf = (all: Held[]): Held => all[Math.floor(Math.random() * all.length)] as Held

/** Refreshes of randomly chosen sessions; what the app does for one is done before it is called. */
export const refreshesOf = (auth: PkceServer, all: Held[]) => () => {
  const held = anyOf(all)
  const next = random()
  const input = { refresh_token: held.refreshToken, session_verifier: held.verifier }
  const request = { ...input, session_challenge: s256(next) }
  return async () => {
    const { refresh_token } = await auth.refresh(request)
    if (refresh_token === undefined) throw new Error("a session without a line")
    held.refreshToken = refresh_token
    held.verifier = next
  }
}

/** Steps of the line for sessions of which nobody else makes any, as the store is asked for them. */
export function stepsOf(all: Held[]): () => Advance {
  const lines = all.map(({ sid, cur }) => ({ sid, gen: 0, cur }))
  return () => {
    const one = lines[Math.floor(Math.random() * lines.length)] as (typeof lines)[number]
    const { sid, gen, cur } = one
    const next = { gen: gen + 1, cur: new Uint8Array(randomBytes(32)) }
    Object.assign(one, next)
    const history = { mark: new Uint8Array(randomBytes(8)) }
    return { sid, expect: { gen, cur }, next, history, idleSeconds: 30 * DAY }
  }
}
