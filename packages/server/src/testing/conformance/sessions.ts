import type { SessionRow } from "../../stores/contract.js"
import { awkward, type Case, created, DAY, expect, expectSame, found, id, newSession } from "./case.js"

/** Rows: creating, finding, listing, ending. */
export const sessionCases: Case[] = [
  {
    name: "create keeps every field and every byte",
    async check(store) {
      const bare = { idpSid: "provider's sid", grant: null, cur: new Uint8Array() }
      for (const overrides of [{}, bare, { grantDueSeconds: 3600, grantRev: 5 }]) {
        const given = newSession(overrides)
        const result = await store.create(given)
        expect(result.outcome === "created", `create was "${result.outcome}"`)
        const { idleSeconds, absoluteSeconds, grantDueSeconds, notAfter: _, ...rest } = given
        const wanted = {
          ...rest,
          gen: 0,
          createdAt: result.now,
          seenAt: result.now,
          idleExpiresAt: result.now + idleSeconds,
          absoluteExpiresAt: result.now + absoluteSeconds,
          revokedAt: null,
          revokedReason: null,
          grantState: "ok",
          grantDueAt: grantDueSeconds === null ? null : result.now + grantDueSeconds,
          leaseNumber: 0,
          leaseExpiresAt: 0,
        }
        expectSame(result.row, wanted, "the row that create answers")
        expectSame(await found(store, given.sid), wanted, "the row that find answers")
        expect(Number.isInteger(result.now), "the store's time is not a whole second")
      }
    },
  },
  {
    name: "create is create-if-absent: of 50 that race for one id one creates, and the rest get its row",
    async check(store) {
      const sid = id()
      const racing = Array.from({ length: 50 }, (_, i) => store.create(newSession({ sid, device: `${i}` })))
      const results = await Promise.all(racing)
      const winners = results.filter(({ outcome }) => outcome === "created")
      expect(winners.length === 1, `${winners.length} of 50 created the same session`)
      const { device } = await found(store, sid)
      for (const result of results) {
        expect(result.outcome !== "late", "a create was late without reason")
        expectSame(result.row.device, device, "the row that the losers see")
      }
    },
  },
  {
    name: "create refuses when notAfter has passed, and writes nothing",
    async check(store) {
      const { now } = await store.find(id())
      const session = newSession({ notAfter: now - 1 })
      const result = await store.create(session)
      expect(result.outcome === "late", `a late create was "${result.outcome}"`)
      expect((await store.find(session.sid)).row === null, "a late create left a row")
    },
  },
  {
    name: "create takes the second that notAfter names, and none after it",
    needsClock: true,
    async check(store, advanceClock) {
      const { now } = await store.find(id())
      const [inTime, late] = [newSession({ notAfter: now }), newSession({ notAfter: now })]
      expectSame((await store.create(inTime)).outcome, "created", "a create in the last second")
      advanceClock(1)
      expectSame((await store.create(late)).outcome, "late", "a create a second after it")
      expectSame((await store.create(inTime)).outcome, "exists", "a late create of what is there")
    },
  },
  {
    name: "the idle limit never lies beyond the absolute one",
    async check(store) {
      const row = await created(store, { idleSeconds: 90 * DAY, absoluteSeconds: DAY })
      expectSame(row.idleExpiresAt, row.absoluteExpiresAt, "idleExpiresAt")
    },
  },
  {
    name: "find of an unknown id is null and has the time",
    async check(store) {
      const { row, now } = await store.find(id())
      expect(row === null, "an unknown id was found")
      expect(Number.isInteger(now) && now > 0, `the time is ${now}`)
    },
  },
  {
    name: "what a caller does to bytes that it gave or got does not reach the store",
    async check(store) {
      const given = newSession()
      const first = await store.create(given)
      expect(first.outcome === "created", `create was "${first.outcome}"`)
      const next = { gen: 1, cur: awkward(32) }
      const ring = awkward(256)
      const step = {
        sid: given.sid,
        expect: { gen: 0, cur: given.cur },
        next,
        history: { ring },
        idleSeconds: DAY,
      }
      const second = await store.advance(step)
      expect(second.outcome === "advanced", `advance was "${second.outcome}"`)
      const before = await found(store, given.sid)
      const wanted = { ...before, cur: awkward(32), history: awkward(256) }
      for (const { cur, history, profile, grant } of [given, first.row, second.row, before]) {
        for (const bytes of [cur, history, profile, grant]) bytes?.fill(1)
      }
      next.cur.fill(1)
      ring.fill(1)
      const { cur, history, profile, grant } = await found(store, given.sid)
      expectSame([cur, history], [wanted.cur, wanted.history], "the line of the row")
      expectSame([profile, grant], [newSession().profile, newSession().grant], "the sealed values of the row")
    },
  },
  {
    name: "revoke is true once, keeps the first reason, and forgets what was sealed",
    async check(store) {
      const { sid } = await created(store, { grantDueSeconds: 60 })
      const answers = [await store.revoke(sid, "logout"), await store.revoke(sid, "reuse")]
      expectSame(answers, [true, false], "the answers of two revokes")
      const row = await found(store, sid)
      expectSame(row.revokedReason, "logout", "revokedReason")
      expect(row.revokedAt !== null, "revokedAt is not set")
      const left = [row.grant, row.grantDueAt, row.profile.length]
      expectSame(left, [null, null, 0], "grant, due time and profile of a revoked session")
    },
  },
  {
    name: "of 50 revokes that race one is true",
    async check(store) {
      const { sid } = await created(store)
      const answers = await Promise.all(Array.from({ length: 50 }, () => store.revoke(sid, "logout")))
      expect(answers.filter(Boolean).length === 1, `${answers.filter(Boolean).length} of 50 were true`)
    },
  },
  {
    name: "revoke never creates",
    async check(store) {
      const sid = id()
      expect(!(await store.revoke(sid, "logout")), "revoke of an unknown id was true")
      expect((await store.find(sid)).row === null, "revoke of an unknown id left a row")
    },
  },
  {
    name: "listByUser shows the live sessions of that user, newest first",
    needsClock: true,
    async check(store, advanceClock) {
      const sub = id()
      const first = await created(store, { sub })
      advanceClock(2)
      const second = await created(store, { sub })
      advanceClock(2)
      const ended = await created(store, { sub })
      await created(store, { sub, absoluteSeconds: 1 })
      await created(store)
      await store.revoke(ended.sid, "logout")
      advanceClock(2)
      const { rows, now } = await store.listByUser(sub)
      expectSame(
        rows.map(({ sid }) => sid),
        [second.sid, first.sid],
        "the list",
      )
      expectSame(rows[1], first, "a listed row")
      expectSame((await store.listByUser(id())).rows, [], "the list of a user without sessions")
      expect(now >= second.createdAt, "the time of the list lies in the past")
    },
  },
  {
    name: "revokeByUser ends that user's live sessions but the excepted one, and names them",
    async check(store) {
      const sub = id()
      const sids = await Promise.all([1, 2, 3].map(async () => (await created(store, { sub })).sid))
      const stranger = await created(store)
      const [kept = "", ended = "", both = ""] = sids
      await store.revoke(ended, "logout")
      expectSame(await store.revokeByUser(sub, "password", kept), [both], "the ids that were ended")
      expectSame((await found(store, both)).revokedReason, "password", "revokedReason")
      expectSame((await found(store, both)).grant, null, "grant of a revoked session")
      expectSame((await found(store, ended)).revokedReason, "logout", "the reason of an earlier end")
      for (const sid of [kept, stranger.sid]) {
        expectSame((await found(store, sid)).revokedAt, null, "revokedAt of a session that was not meant")
      }
      expectSame(await store.revokeByUser(sub, "all"), [kept], "the ids without an exception")
    },
  },
  {
    name: "a session lives to the second before its limit, whatever asks",
    needsClock: true,
    async check(store, advanceClock) {
      const owner = () => ({ sub: id(), idpIss: `https://${id()}.example/`, idpSid: id() })
      for (const limit of [{ idleSeconds: 100 }, { absoluteSeconds: 100 }]) {
        const made = await Promise.all([1, 2, 3, 4].map(() => created(store, { ...owner(), ...limit })))
        const [row, byId, byUser, byProvider] = made as [SessionRow, SessionRow, SessionRow, SessionRow]
        const listed = async () => (await store.listByUser(row.sub)).rows.length
        advanceClock(99)
        expectSame(await listed(), 1, "the sessions listed in the last second")
        expect(await store.revoke(byId.sid, "logout"), "revoke in the last second was false")
        expectSame((await store.revokeByUser(byUser.sub, "x")).length, 1, "ended by user in the last second")
        const { idpIss, idpSid } = byProvider
        const ended = await store.revokeByProviderSession(idpIss, idpSid ?? "", "x")
        expectSame(ended.length, 1, "ended by the provider in the last second")
        advanceClock(1)
        expectSame(await listed(), 0, "the sessions listed in the second of the limit")
        expect(!(await store.revoke(row.sid, "logout")), "revoke in the second of the limit was true")
        expectSame(await store.revokeByUser(row.sub, "x"), [], "ended by user in the second of the limit")
      }
    },
  },
  {
    name: "sweep deletes what has expired, at most as much as it is told, and nothing that lives",
    needsClock: true,
    async check(store, advanceClock) {
      const dead = await Promise.all([1, 2, 3].map(() => created(store, { absoluteSeconds: 10 })))
      const live = await created(store, { idleSeconds: 900 * DAY, absoluteSeconds: 900 * DAY })
      await store.claim("code", id(), "x", 10)
      advanceClock(400 * DAY)
      expect((await store.sweep(1)) <= 1, "sweep deleted more than its limit")
      for (let rounds = 0; rounds < 10; rounds++) await store.sweep(100)
      for (const { sid } of dead) expect((await store.find(sid)).row === null, "a dead row outlived sweep")
      await found(store, live.sid)
      expectSame(await store.sweep(100), 0, "deletions when nothing is left to sweep")
    },
  },
]
