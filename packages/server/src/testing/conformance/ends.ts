import type { NewSession } from "../../stores/contract.js"
import { type Case, created, expect, expectSame, found, id } from "./case.js"

/** Ending what began in one session at the provider. */
export const endCases: Case[] = [
  {
    name: "revokeByProviderSession ends the live sessions of that issuer and that sid, and names them once",
    async check(store) {
      const [idpIss, idpSid] = [issuer(), id()]
      const make = async (overrides: Partial<NewSession>) => (await created(store, overrides)).sid
      const [one, two, over] = [
        await make({ idpIss, idpSid }),
        await make({ idpIss, idpSid, grantDueSeconds: 60 }),
        await make({ idpIss, idpSid }),
      ]
      const strangers = [
        await make({ idpIss, idpSid: id() }),
        await make({ idpIss: issuer(), idpSid }),
        await make({ idpIss, idpSid: null }),
        // One text where a store joins the two, or takes them for a pattern.
        await make({ idpIss: `${idpIss}:`, idpSid: idpSid.slice(1) }),
        await make({ idpIss: idpIss.slice(0, -1), idpSid: `${idpIss.slice(-1)}${idpSid}` }),
      ]
      await store.revoke(over, "logout")
      const ended = await store.revokeByProviderSession(idpIss, idpSid, "provider")
      expectSame(ended.sort(), [one, two].sort(), "the ids that were ended")
      for (const sid of [one, two]) {
        const { revokedReason, grant, grantDueAt } = await found(store, sid)
        expectSame([revokedReason, grant, grantDueAt], ["provider", null, null], "an ended session")
      }
      expectSame((await found(store, over)).revokedReason, "logout", "the reason of an earlier end")
      for (const sid of strangers) {
        expectSame((await found(store, sid)).revokedAt, null, "revokedAt of a session that was not meant")
      }
      expectSame(await store.revokeByProviderSession(idpIss, idpSid, "again"), [], "the ids of a second call")
      expectSame(await store.revokeByProviderSession(idpIss, "", "none"), [], "the ids of an empty sid")
      expectSame(await store.revokeByProviderSession(idpIss, "%", "none"), [], "the ids of a pattern")
    },
  },
  {
    name: "revokeByProviderSession finds every session that was created before it, while others are created",
    async check(store) {
      const [idpIss, idpSid] = [issuer(), id()]
      const made: string[] = []
      const ended: string[] = []
      const creating = Promise.all(
        Array.from({ length: 60 }, async () => made.push((await created(store, { idpIss, idpSid })).sid)),
      )
      let racing = true
      const created60 = creating.then(() => {
        racing = false
      })
      for (let last = false; !last; ) {
        last = !racing
        const before = [...made]
        ended.push(...(await store.revokeByProviderSession(idpIss, idpSid, "provider")))
        const missed = before.filter((sid) => !ended.includes(sid)).length
        expect(missed === 0, `${missed} sessions were created before the call and not ended by it`)
      }
      await created60
      expectSame([...new Set(ended)].length, ended.length, "the ids that were named, each once")
      expectSame(ended.sort(), made.sort(), "the ids that were named")
    },
  },
  {
    name: "revokeByProviderSession leaves alone what has expired",
    needsClock: true,
    async check(store, advanceClock) {
      const [idpIss, idpSid] = [issuer(), id()]
      await created(store, { idpIss, idpSid, idleSeconds: 100 })
      advanceClock(100)
      expectSame(await store.revokeByProviderSession(idpIss, idpSid, "x"), [], "the ids of expired sessions")
    },
  },
]

const issuer = () => `https://${id()}.example/`
