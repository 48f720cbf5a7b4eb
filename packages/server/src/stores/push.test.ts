import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createPush, type RevocationListener } from "./push.js"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A server that a test makes tell, lose and refuse. */
function fakeServer() {
  const links: { tell: RevocationListener; lose: () => void; closed: boolean }[] = []
  const state = { refuses: false }
  const push = createPush(async (heard, lost) => {
    if (state.refuses) throw new Error("refused")
    const link = { tell: heard, lose: lost, closed: false }
    links.push(link)
    return () => {
      link.closed = true
    }
  })
  return { push, links, state, open: () => links.filter(({ closed }) => !closed).length }
}

const settled = () => vi.advanceTimersByTimeAsync(0)
const later = () => vi.advanceTimersByTimeAsync(2000)

test("one connection for all who listen, and none when nobody does", async () => {
  const { push, links, open } = fakeServer()
  await settled()
  expect(open()).toBe(0)
  const heard: string[] = []
  const stops = ["a", "b"].map((who) => push.on((sid) => heard.push(`${who} ${sid}`)))
  await settled()
  expect(open()).toBe(1)
  links[0]?.tell("x")
  expect(heard).toEqual(["a x", "b x"])
  stops[0]?.()
  await settled()
  links[0]?.tell("y")
  expect(heard.slice(2)).toEqual(["b y"])
  stops[1]?.()
  await settled()
  expect(open()).toBe(0)
  push.on(() => undefined)
  await settled()
  expect(open()).toBe(1)
})

test("a connection that is lost or refused is made anew, without haste", async () => {
  const { push, links, state, open } = fakeServer()
  const heard: string[] = []
  push.on((sid) => heard.push(sid))
  await settled()
  state.refuses = true
  links[0]?.lose()
  await settled()
  expect(links.map(({ closed }) => closed)).toEqual([true])
  await later()
  state.refuses = false
  await settled()
  expect(links.length).toBe(1)
  await later()
  expect(open()).toBe(1)
  links[1]?.tell("x")
  expect(heard).toEqual(["x"])
})

test("close waits until the connection is closed, also where the last listener left just before", async () => {
  let close: () => void = () => undefined
  const closing = new Promise<void>((resolve) => (close = resolve))
  const push = createPush(async () => () => closing)
  const stop = push.on(() => undefined)
  await settled()
  stop()
  let closed = false
  const done = push.close().then(() => {
    closed = true
  })
  await settled()
  expect(closed).toBe(false)
  close()
  await done
})

test("close leaves no connection, also one that is still being opened", async () => {
  const { push, open } = fakeServer()
  push.on(() => undefined)
  await push.close()
  await later()
  expect(open()).toBe(0)
})

test("close does not wait for a server that does not answer", async () => {
  let answer: (close: () => void) => void = () => undefined
  const push = createPush(() => new Promise((resolve) => (answer = resolve)))
  push.on(() => undefined)
  await settled()
  await push.close()
  let closed = false
  answer(() => {
    closed = true
  })
  await settled()
  expect(closed).toBe(true)
})
