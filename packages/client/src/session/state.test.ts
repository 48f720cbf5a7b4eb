import { expect, it } from "vitest"
import { testClock } from "../../test/support/clock.js"
import { createEvents } from "./events.js"
import type { ClientRecord, RecordStore, StoredSession } from "./record.js"
import { createSessionState } from "./state.js"

const session = (refreshToken: string): StoredSession => ({
  id: "s",
  provider: "main",
  refreshToken,
  verifier: "v",
  steppedAt: 0,
})

it("what another tab's change makes it read never replaces what this one stored meanwhile", async () => {
  let tell = () => {}
  const reads: ((record: ClientRecord) => void)[] = []
  const record: RecordStore = {
    read: () => new Promise((resolve) => reads.push(resolve)),
    update: async () => {},
  }
  const changes = {
    post() {},
    subscribe: (listener: () => void) => {
      tell = listener
      return () => {}
    },
  }
  const answer = (at: number, refreshToken: string) =>
    reads[at]?.({ session: session(refreshToken), logins: [], used: [] })
  const state = createSessionState(record, testClock(), createEvents(), changes)
  const loading = state.load()
  answer(0, "first")
  await loading

  tell()
  state.publish(session("newest"))
  answer(1, "second")
  await new Promise((resolve) => setTimeout(resolve))
  expect(state.current()?.refreshToken).toBe("newest")

  tell()
  answer(2, "third")
  await new Promise((resolve) => setTimeout(resolve))
  expect(state.current()?.refreshToken).toBe("third")
})
