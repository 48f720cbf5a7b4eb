import type { PkceEventInput } from "../events.js"
import type { KeyProvider } from "../key-provider.js"
import type { SessionRow, Store } from "../stores/contract.js"
import { memoryStore } from "../stores/memory.js"
import { newSession } from "../testing/conformance/case.js"
import { createKeyRing } from "./keyring.js"
import { grantContext, profileContext } from "./provider-tokens.js"
import { createReseal } from "./reseal.js"
import { createVault } from "./seal.js"
import type { KeyRing } from "./types.js"

export const entry = (name: string) => ({
  secret: `${name}-0123456789-abcdefghijklmnopqrstuvwxyz`,
  signFrom: 0,
})
export const [oldSecret, newSecret] = [entry("old"), entry("new")]
export const before = createKeyRing([oldSecret], [])
export const after = createKeyRing([newSecret, oldSecret], [])
export const [newKid = "", oldKid = ""] = (await after.kids()) as string[]

export const profile = { name: "Ada" }
export const tokens = { access_token: "at", refresh_token: "rt", obtained_at: 0 }

/** A memory store on a clock of its own, and sessions in it. */
export function rig() {
  const clock = { seconds: 1_000_000 }
  const events: PkceEventInput[] = []
  const store = memoryStore({ now: () => clock.seconds * 1000 })
  const vaultOf = (ring: KeyRing, keyProvider: KeyProvider | null = null) =>
    createVault(ring, { keyProvider, emit: (event) => void events.push(event) })
  async function row(sid: string): Promise<SessionRow> {
    const { row } = await store.find(sid)
    if (!row) throw new Error("no row")
    return row
  }
  return {
    clock,
    events,
    store,
    vaultOf,
    row,

    /** A session as a login leaves it, sealed by this vault. */
    async login(vault = vaultOf(before), change: { sid?: string; grant?: null; due?: number | null } = {}) {
      const { due = 3600, sid } = change
      const session = newSession({ grantDueSeconds: due, ...(sid !== undefined && { sid }) })
      const sealed = {
        profile: await vault.seal(profile, profileContext(session)),
        grant: change.grant === null ? null : await vault.seal(tokens, grantContext(session)),
      }
      await store.create({ ...session, ...sealed })
      return session.sid
    },

    reseal: (vault = vaultOf(after), through: Store = store) =>
      createReseal({ store: through, vault, emit: (event) => void events.push(event) }),

    /** What is sealed in the row, opened with these secrets alone. */
    async opened(sid: string, ring: KeyRing = createKeyRing([newSecret], [])) {
      const found = await row(sid)
      const vault = vaultOf(ring)
      return {
        profile: await vault.open(found.profile, profileContext(found)),
        grant: found.grant && (await vault.open(found.grant, grantContext(found))),
      }
    },
  }
}
