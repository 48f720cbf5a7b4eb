import { expect, it } from "vitest"
import { fakeClock } from "../testing/clock.js"
import { createEvents } from "./events.js"
import { type ClientRecord, emptyRecord, type RecordStore, type StoredSession } from "./record.js"
import { createSessionState } from "./state.js"

const session = (refreshToken: string): StoredSession => ({
  id: "s",
  provider: "main",
  refreshToken,
  verifier: "v",
  steppedAt: 0,
})

async function loaded() {
  let tell = () => {}
  const reads: ((record: ClientRecord) => void)[] = []
  const record: RecordStore = {
    read: () => new Promise((resolve) => reads.push(resolve)),
    update: async (change) => change(emptyRecord()),
  }
  const changes = {
    post() {},
    subscribe: (listener: () => void) => {
      tell = listener
      return () => {}
    },
  }
  const answer = (at: number, refreshToken: string) =>
    reads[at]?.({ v: 1, session: session(refreshToken), logins: [], used: [] })
  const state = createSessionState(record, fakeClock(), createEvents(), changes)
  const loading = state.load()
  answer(0, "first")
  await loading
  return { state, tell: () => tell(), answer, settle: () => new Promise((resolve) => setTimeout(resolve)) }
}

it("what was read while this tab stored something is read again: the other tab's change is not missed", async () => {
  const { state, tell, answer, settle } = await loaded()
  tell()
  state.publish(session("mine"))
  answer(1, "older")
  await settle()
  expect(state.current()?.refreshToken).toBe("mine")
  answer(2, "theirs")
  await settle()
  expect(state.current()?.refreshToken).toBe("theirs")
})

it("listens once, however often the first reading fails", async () => {
  let listeners = 0
  let reads = 0
  const record: RecordStore = {
    read: async () => {
      if (reads++ < 3) throw new Error("disk")
      return emptyRecord()
    },
    update: async (change) => change(emptyRecord()),
  }
  const changes = {
    post() {},
    subscribe: () => {
      listeners++
      return () => {}
    },
  }
  const state = createSessionState(record, fakeClock(), createEvents(), changes)
  for (let i = 0; i < 3; i++) await expect(state.load()).rejects.toThrow("disk")
  expect(await state.load()).toBeNull()
  expect(listeners).toBe(1)
})

it("however many ask at the start, the storage is read once", async () => {
  let reads = 0
  const record: RecordStore = {
    async read() {
      reads++
      return emptyRecord()
    },
    update: async (change) => change(emptyRecord()),
  }
  const state = createSessionState(record, fakeClock(), createEvents())
  await Promise.all(Array.from({ length: 20 }, () => state.load()))
  expect(reads).toBe(1)
})

it("what another tab's change makes it read never replaces what this one stored meanwhile", async () => {
  const { state, tell, answer, settle } = await loaded()
  tell()
  state.publish(session("newest"))
  answer(1, "second")
  await settle()
  expect(state.current()?.refreshToken).toBe("newest")
})
