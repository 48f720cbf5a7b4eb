import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Store } from "../../src/stores/contract.js"
import { memoryStore } from "../../src/stores/memory.js"
import { type Fault, faultyStore } from "../support/faulty-store.js"
import {
  grantOf,
  type HostedRoom,
  handoffOf,
  type Login,
  openHosted,
  polling,
  redemption,
  verdict,
} from "../support/hosted-room.js"
import { parsed, random, s256, withoutPush } from "../support/server.js"

let room: HostedRoom
beforeEach(async () => {
  room = await openHosted()
})
afterEach(() => room.close())

const sessions = async () => (await room.store.scan(null, 100)).rows.length

describe("J4: a store that does not do what was asked", () => {
  async function ready() {
    const login = await room.start()
    const handoff = handoffOf(await room.browser().finish(login))
    return redemption(login, handoff, random())
  }
  const change = (members: Partial<Store>) => Object.assign(room.options.store ?? {}, members)

  it("J4: a name that is never written is tried five times, and then 503", async () => {
    const request = await ready()
    const settle = room.store.settle
    let lost = 0
    change({
      settle: async () => {
        lost++
        return false
      },
    })
    expect(verdict(await room.post("/redeem", request))).toEqual([503, "unavailable"])
    expect(lost).toBe(5)
    change({ settle })
    expect((await room.post("/redeem", request)).status).toBe(200)
  })

  it("J4: a handoff that expires while it is redeemed is 410, and no session", async () => {
    const request = await ready()
    const { settle, peek } = room.store
    change({
      async settle(...args) {
        change({ peek: async () => null })
        return settle(...args)
      },
    })
    expect(verdict(await room.post("/redeem", request))).toEqual([410, "login_expired"])
    change({ peek })
    expect(await sessions()).toBe(0)
  })

  it("J4: a replay while the row is being written ends the session that it could not find", async () => {
    const request = await ready()
    const { create } = room.store
    change({
      async create(session) {
        change({ create })
        expect((await room.post("/redeem", { ...request, session_challenge: s256(random()) })).status).toBe(
          400,
        )
        return create(session)
      },
    })
    expect(verdict(await room.post("/redeem", request))).toEqual([400, "login_failed"])
    expect(await sessions()).toBe(0)
    expect(room.events).toContainEqual(expect.objectContaining({ reason: "handoff_burned" }))
  })

  it("J4: a process that wakes after the handoff's time writes no session", async () => {
    const request = await ready()
    const { create } = room.store
    change({
      async create(session) {
        room.jump(700)
        return create(session)
      },
    })
    expect(verdict(await room.post("/redeem", request))).toEqual([409, "exchange_interrupted"])
    room.jump(-700)
    expect(await sessions()).toBe(0)
  })

  it("a return that was written, and whose answer a driver lost and asked for again, is ours", async () => {
    const { claim } = room.store
    change({
      async claim(...args) {
        if (args[0] === "handoff") await claim(...args)
        return claim(...args)
      },
    })
    expect((await room.post("/redeem", await ready())).status).toBe(200)
  })
})

describe("J4: a process that dies between the name on the handoff and the session's row", () => {
  let faulty: ReturnType<typeof faultyStore>
  beforeEach(async () => {
    await room.close()
    faulty = faultyStore(withoutPush(memoryStore()))
    room = await openHosted({ store: faulty.store })
  })

  async function countOf(work: () => Promise<unknown>): Promise<number> {
    faulty.arm(0, "before")
    await work()
    return faulty.calls()
  }
  const requestOf = {
    redeem: redemption,
    poll: (login: Login, _: string, line: string) => polling(login, line),
  }
  async function ready(by: "redeem" | "poll") {
    const login = await room.start({ delivery: by === "poll" ? "poll" : "redirect" })
    const page = await room.browser().finish(login)
    const handoff = by === "poll" ? "" : handoffOf(page)
    return { login, handoff, request: requestOf[by](login, handoff, random()) }
  }

  it.each<["redeem" | "poll", Fault]>([
    ["redeem", "before"],
    ["redeem", "after"],
    ["poll", "before"],
    ["poll", "after"],
  ])(
    "J4: /%s: whichever call of the store fails (%s it acts), the identical repeat is the session",
    async (by, fault) => {
      const clean = await ready(by)
      const calls = await countOf(() => room.post(`/${by}`, clean.request))
      expect(calls).toBeGreaterThan(4)
      for (let n = 1; n <= calls; n++) {
        const { request } = await ready(by)
        faulty.arm(n, fault)
        const broken = await room.post(`/${by}`, request)
        faulty.arm(0, fault)
        expect([n, broken.status, parsed(broken).retryable]).toEqual([n, 503, true])
        const grant = grantOf(await room.post(`/${by}`, request))
        expect(grantOf(await room.post(`/${by}`, request)).refresh_token).toBe(grant.refresh_token)
      }
      expect(await sessions()).toBe(calls + 1)
    },
  )

  it("J4: and one that dies before it saw that the handoff was burned meanwhile leaves no session behind", async () => {
    const inner = faulty.store as Store & Record<string, unknown>
    const { login, handoff, request } = await ready("redeem")
    const create = inner.create.bind(inner)
    let replay: Promise<unknown> | undefined
    Object.assign(room.options.store ?? {}, {
      async create(session: Parameters<Store["create"]>[0]) {
        // The replay finds no row to end, and the process dies with the row just written.
        replay ??= room.post("/redeem", redemption(login, handoff, random()))
        await replay
        const created = await create(session)
        faulty.arm(1, "before")
        return created
      },
    })
    expect((await room.post("/redeem", request)).status).toBe(503)
    expect(await sessions()).toBe(1)
    expect(verdict(await room.post("/redeem", request))).toEqual([400, "login_failed"])
    expect(await sessions()).toBe(0)
  })
})
