import type { OnceKind } from "../../stores/contract.js"
import { type Case, expect, expectSame, id } from "./case.js"

/** Single-use values. */
export const onceCases: Case[] = [
  {
    name: "C4: of 50 claims that race for one key one wins, and the rest get its value",
    async check(store) {
      const key = id()
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.claim("code", key, `value ${i}`, 60)),
      )
      const winners = results.flatMap(({ outcome }, i) => (outcome === "claimed" ? [`value ${i}`] : []))
      expect(winners.length === 1, `${winners.length} of 50 claimed the same key`)
      for (const result of results) {
        if (result.outcome === "taken") expectSame(result.value, winners[0], "the value that the losers see")
      }
    },
  },
  {
    name: "G7: the kinds are key spaces of their own",
    async check(store) {
      const key = id()
      const kinds: OnceKind[] = ["code", "ticket", "handoff", "login", "jti", "logout"]
      for (const kind of kinds) {
        const { outcome } = await store.claim(kind, key, `a ${kind}`, 60)
        expect(outcome === "claimed", `a claim of "${kind}" met one of another kind`)
      }
      expect(!(await store.settle("code", key, "a ticket", "x")), "settle met a value of another kind")
      expect(!(await store.release("code", key, "a ticket")), "release met a value of another kind")
      for (const kind of kinds) expectSame(await store.peek(kind, key), `a ${kind}`, `peek of "${kind}"`)
      for (const kind of kinds) {
        expectSame(await store.take(kind, key), `a ${kind}`, `take of "${kind}"`)
        expect((await store.peek(kind, key)) === null, `peek of "${kind}" met a value of another kind`)
      }
    },
  },
  {
    name: "peek shows what a key holds, and leaves it there",
    async check(store) {
      const key = id()
      const value = "a val\"ue' \u{1F511}"
      expect((await store.peek("logout", key)) === null, "peek found a value that nobody claimed")
      expectSame((await store.claim("logout", key, "first", 60)).outcome, "claimed", "the claim after a peek")
      expectSame(await store.peek("logout", key), "first", "the first peek")
      await store.settle("logout", key, "first", value)
      expectSame(await store.peek("logout", key), value, "the peek after settle")
      expectSame(await store.take("logout", key), value, "the take after a peek")
      expect((await store.peek("logout", key)) === null, "peek found a value that was taken")
    },
  },
  {
    name: "settle replaces the expected value and no other",
    async check(store) {
      const key = id()
      await store.claim("code", key, "first", 60)
      expect(!(await store.settle("code", key, "other", "second")), "settle ignored what it should expect")
      expect(
        await store.settle("code", key, "first", "sec\"ond' \u{1F511}"),
        "settle of the right value failed",
      )
      const result = await store.claim("code", key, "third", 60)
      expectSame(result.outcome === "taken" && result.value, "sec\"ond' \u{1F511}", "the settled value")
    },
  },
  {
    name: "of 50 settles that race from one value one wins",
    async check(store) {
      const key = id()
      await store.claim("code", key, "first", 60)
      const racing = Array.from({ length: 50 }, (_, i) => store.settle("code", key, "first", `next ${i}`))
      const won = (await Promise.all(racing)).filter(Boolean).length
      expect(won === 1, `${won} of 50 settled from the same value`)
    },
  },
  {
    name: "settle, release and take never create",
    async check(store) {
      const key = id()
      expect(!(await store.settle("jti", key, "", "x")), "settle of nothing was true")
      expect(!(await store.release("jti", key, "")), "release of nothing was true")
      expect((await store.take("jti", key)) === null, "take found a value that nobody claimed")
      expectSame((await store.claim("jti", key, "x", 60)).outcome, "claimed", "the claim after them")
    },
  },
  {
    name: "release deletes the expected value and no other",
    async check(store) {
      const key = id()
      await store.claim("code", key, "mine", 60)
      expect(!(await store.release("code", key, "theirs")), "release ignored what it should expect")
      expectSame(
        (await store.claim("code", key, "x", 60)).outcome,
        "taken",
        "the claim after a wrong release",
      )
      expect(await store.release("code", key, "mine"), "release of the right value failed")
      expectSame((await store.claim("code", key, "x", 60)).outcome, "claimed", "the claim after a release")
    },
  },
  {
    name: "of 50 takes that race one gets the value",
    async check(store) {
      const key = id()
      await store.claim("ticket", key, "the value", 60)
      const taken = await Promise.all(Array.from({ length: 50 }, () => store.take("ticket", key)))
      expectSame(
        taken.filter((value) => value !== null),
        ["the value"],
        "what 50 takes got",
      )
    },
  },
  {
    name: "a value ends with its time, for every operation, and settle does not prolong it",
    needsClock: true,
    async check(store, advanceClock) {
      const keys = [id(), id(), id(), id()]
      const [settled = "", released = "", taken = "", claimed = ""] = keys
      for (const key of keys) await store.claim("handoff", key, "x", 10)
      advanceClock(9)
      expectSame((await store.claim("handoff", claimed, "y", 10)).outcome, "taken", "a claim before the end")
      await store.settle("handoff", settled, "x", "y")
      expectSame(await store.peek("handoff", settled), "y", "a peek before the end")
      advanceClock(1)
      for (const key of keys) {
        expect((await store.peek("handoff", key)) === null, "peek met a value whose time is over")
      }
      expect(!(await store.settle("handoff", settled, "y", "z")), "settle met a value whose time is over")
      expect(!(await store.release("handoff", released, "x")), "release met a value whose time is over")
      expect((await store.take("handoff", taken)) === null, "take met a value whose time is over")
      expectSame((await store.claim("handoff", claimed, "y", 10)).outcome, "claimed", "a claim after the end")
      expectSame(await store.take("handoff", claimed), "y", "the value of the new claim")
    },
  },
]
