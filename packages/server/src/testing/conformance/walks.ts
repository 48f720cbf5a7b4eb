import type { SessionRow, Store } from "../../stores/contract.js"
import { type Case, created, expect, expectSame, found, leased, sealed, sealOf } from "./case.js"

/**
 * What goes through all sessions: `due` and `scan`. The store need not be empty: each case looks at its own sessions only.
 */
export const walkCases: Case[] = [
  {
    name: "due shows the grants that are due within the time, the earliest first",
    async check(store) {
      expect(Number.isInteger((await store.due(0, 1)).now), "the time of due is not a whole second")
      const made: SessionRow[] = []
      for (const grantDueSeconds of [3000, 1000, null, 2000, 90_000, 0]) {
        made.push(await created(store, { grantDueSeconds }))
      }
      const [third, first, , second, , zeroth] = made
      expectSame(await dueOf(store, made, 0), [zeroth?.sid], "what is due now")
      expectSame(await dueOf(store, made, 1500), [zeroth?.sid, first?.sid], "what is due in 1500 s")
      const wanted = [zeroth, first, second, third].map((row) => row?.sid)
      expectSame(await dueOf(store, made, 3600), wanted, "what is due in an hour")
    },
  },
  {
    name: "due takes the earliest, at most as many as it is told, and shows whole rows",
    async check(store) {
      const made: SessionRow[] = []
      for (const grantDueSeconds of [3000, 1000, 2000, 0])
        made.push(await created(store, { grantDueSeconds }))
      for (const limit of [1, 2]) {
        const { rows } = await store.due(3600, limit)
        expect(rows.length === limit, `due with a limit of ${limit} showed ${rows.length}`)
        const last = rows.at(-1)?.grantDueAt ?? 0
        for (const { sid, grantDueAt } of made) {
          const left = !rows.some((row) => row.sid === sid)
          expect(!left || (grantDueAt ?? 0) >= last, "due left out an earlier one for a later one")
        }
      }
      for (const row of made) {
        const shown = (await store.due(3600, ALL)).rows.find(({ sid }) => sid === row.sid)
        expectSame(shown, row, "a row that due shows")
      }
    },
  },
  {
    name: "due leaves out what is leased, and follows what sealGrant says",
    async check(store) {
      const row = await created(store, { grantDueSeconds: 0 })
      const isDue = async (within: number) => (await dueOf(store, [row], within)).length === 1
      expect(await isDue(0), "due left out a grant that is due")
      const { row: held } = await leased(store, row)
      expect(!(await isDue(3600)), "due showed a grant that is leased")
      await sealed(store, sealOf(held, { dueSeconds: 0 }))
      expect(await isDue(0), "due left out a grant whose lease was given back")
      await sealed(store, sealOf(held, { dueSeconds: 90_000 }))
      expect(!(await isDue(3600)), "due showed a grant that was put off")
      await sealed(store, sealOf(held, { dueSeconds: 1000 }))
      expect(await isDue(3600), "due left out a grant that was brought forward")
      expect(!(await isDue(0)), "due showed a grant before its time")
      await sealed(store, sealOf(held, { dueSeconds: null }))
      expect(!(await isDue(3600)), "due showed a grant that is never due")
    },
  },
  {
    name: "due leaves out a session that was ended, in whichever way",
    async check(store) {
      const idpSid = "the provider's"
      const made: SessionRow[] = []
      for (let i = 0; i < 3; i++) made.push(await created(store, { grantDueSeconds: 0, idpSid }))
      expect((await dueOf(store, made, 0)).length === 3, "due left out a grant that is due")
      const [one, two] = made
      await store.revoke(one?.sid ?? "", "logout")
      await store.revokeByUser(two?.sub ?? "", "logout")
      await store.revokeByProviderSession(one?.idpIss ?? "", idpSid, "logout")
      expectSame(await dueOf(store, made, 0), [], "what is due of sessions that were ended")
      for (const { sid } of made) expectSame((await found(store, sid)).grantDueAt, null, "their due time")
    },
  },
  {
    name: "due goes by the store's clock: the due time, the end of a lease, the end of the session",
    needsClock: true,
    async check(store, advanceClock) {
      const row = await created(store, { grantDueSeconds: 100, idleSeconds: 500 })
      const isDue = async (within: number) => (await dueOf(store, [row], within)).length === 1
      advanceClock(40)
      expectSame([await isDue(59), await isDue(60)], [false, true], "due a second before, and in time")
      advanceClock(60)
      expect(await isDue(0), "due left out a grant in the second in which it is due")
      await leased(store, row, 45)
      advanceClock(44)
      expect(!(await isDue(0)), "due showed a grant whose lease runs")
      advanceClock(1)
      expect(await isDue(0), "due left out a grant whose lease ran out")
      advanceClock(354)
      expect(await isDue(0), "due left out a session in its last second")
      advanceClock(1)
      expect(!(await isDue(0)), "due showed a session that has expired")
    },
  },
  {
    name: "scan meets every live session in pages, and none that has ended",
    async check(store) {
      const crowd = await Promise.all(Array.from({ length: 40 }, () => created(store)))
      const over = await Promise.all(Array.from({ length: 8 }, () => created(store)))
      for (const { sid } of over) await store.revoke(sid, "logout")
      const seen = await walked(store, 10)
      for (const row of crowd) expectSame(seen.get(row.sid), row, "a row that scan meets")
      for (const { sid } of over) expect(!seen.has(sid), "scan met a session that has ended")
      const again = await walked(store, 1000)
      expectSame(
        crowd.filter(({ sid }) => !again.has(sid)),
        [],
        "what scan misses in larger pages",
      )
    },
  },
  {
    name: "scan meets no session that has expired",
    needsClock: true,
    async check(store, advanceClock) {
      const brief = await created(store, { idleSeconds: 100 })
      const kept = await created(store, { idleSeconds: 101 })
      advanceClock(100)
      const seen = await walked(store, 50)
      expectSame([seen.has(brief.sid), seen.has(kept.sid)], [false, true], "an expired and a live session")
    },
  },
  {
    name: "scan meets what lives throughout, while sessions are made and ended",
    async check(store) {
      const crowd = await Promise.all(Array.from({ length: 40 }, () => created(store)))
      const leaving = await Promise.all(Array.from({ length: 40 }, () => created(store)))
      const seen = await walked(store, 10, async (page) => {
        // Those that were met already: what stands behind them moves up, where a store counts.
        const gone = leaving.filter(({ sid }) => page.some((row) => row.sid === sid))
        await Promise.all([...gone.map(({ sid }) => store.revoke(sid, "logout")), created(store)])
      })
      const racing = walked(store, 10)
      await Promise.all(Array.from({ length: 60 }, () => created(store)))
      for (const met of [seen, await racing]) {
        const missed = crowd.filter(({ sid }) => !met.has(sid)).length
        expect(missed === 0, `scan missed ${missed} of 40 sessions that lived throughout`)
      }
    },
  },
]

/** More than are ever due at once in a store that the kit is run on. */
const ALL = 10_000

/** Which of these sessions are due, in the order of `due`. */
async function dueOf(store: Store, made: SessionRow[], within: number): Promise<string[]> {
  const { rows } = await store.due(within, ALL)
  const own = new Set(made.map(({ sid }) => sid))
  return rows.map(({ sid }) => sid).filter((sid) => own.has(sid))
}

/** Everything that one scan meets. A page may hold less than its limit, or nothing, and not be the last. */
async function walked(
  store: Store,
  limit: number,
  between: (page: SessionRow[]) => Promise<void> = async () => undefined,
): Promise<Map<string, SessionRow>> {
  const seen = new Map<string, SessionRow>()
  for (let from: string | null = null; ; ) {
    const { rows, next, now } = await store.scan(from, limit)
    expect(rows.length <= limit, `a page of at most ${limit} sessions held ${rows.length}`)
    expect(Number.isInteger(now), "the time of scan is not a whole second")
    for (const row of rows) seen.set(row.sid, row)
    if (next === null) return seen
    expect(next !== from, "scan does not move on")
    await between(rows)
    from = next
  }
}
