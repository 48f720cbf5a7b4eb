import { describe, expect, test } from "vitest"
import {
  accept,
  createRig,
  DAY,
  newVerifier,
  outcomeOf,
  requestOf,
  rolledBack,
  s256,
} from "./support/line.js"

const GRANTED = "granted with session token"
const REPEAT = "repeat with session token"

describe("an honest client", () => {
  test("refreshes for ever, each time with a new token, generation and challenge", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const tokens = new Set([holder.token])
    for (let gen = 1; gen <= 70; gen++) {
      rig.clock.seconds += 10
      const step = await rig.refresh(holder)
      expect([outcomeOf(step), step]).toMatchObject([GRANTED, { now: rig.clock.seconds }])
      expect((await rig.row(holder.sid)).gen).toBe(gen)
      tokens.add(holder.token)
    }
    expect(tokens.size).toBe(71)
    const who = { session_id: holder.sid, sub: "the user", provider: "auth0" }
    const told = { type: "session.refreshed", ...who, repeat: false, forward: false }
    expect(rig.events).toEqual(Array.from({ length: 70 }, (_, i) => ({ ...told, generation: i + 1 })))
  })

  test("F2: the identical request gets the identical answer, whatever the delay, and is never reuse", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const request = requestOf(holder)
    const first = await rig.line.refresh(request)
    for (const [wait, outcome] of [
      [0, REPEAT],
      [30, REPEAT],
      [1, "repeat"],
      [9 * DAY, "repeat"],
    ] as const) {
      rig.clock.seconds += wait
      const again = await rig.line.refresh(request)
      expect(outcomeOf(again)).toBe(outcome)
      expect(again.outcome === "granted" && again.refreshToken).toBe(
        first.outcome === "granted" && first.refreshToken,
      )
      expect(rig.events.at(-1)).toMatchObject({ generation: 1, repeat: true, forward: false })
    }
    expect((await rig.row(holder.sid)).gen).toBe(1)
    accept(holder, request, first)
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
    expect(rig.events.filter(({ type }) => type === "session.reuse_detected")).toEqual([])
  })

  test("F5: a repeat is without a session token when the clock went back behind its commit", async () => {
    const rig = createRig()
    const request = requestOf(await rig.login())
    await rig.line.refresh(request)
    rig.clock.seconds -= 1
    expect(outcomeOf(await rig.line.refresh(request))).toBe("repeat")
  })

  test("R3: a copy that arrives up to 31 generations later is a repeat without a session token", async () => {
    const rig = createRig()
    const holder = await rig.login()
    await rig.refresh(holder)
    const late = requestOf(holder)
    let first: string | undefined
    for (let later = 1; later <= 31; later++) {
      expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
      first ??= holder.token
      const again = await rig.line.refresh(late)
      expect(outcomeOf(again)).toBe(later === 1 ? REPEAT : "repeat")
      expect(again).toMatchObject({ refreshToken: first })
    }
  })

  test("F3: identical requests at once have one commit and one successor", async () => {
    const rig = createRig()
    const request = requestOf(await rig.login())
    const steps = await Promise.all(Array.from({ length: 20 }, () => rig.line.refresh(request)))
    expect(steps.filter((step) => outcomeOf(step) === GRANTED)).toHaveLength(1)
    expect(new Set(steps.map((step) => step.outcome === "granted" && step.refreshToken)).size).toBe(1)
    expect((await rig.row(holderSid(steps))).gen).toBe(1)
  })

  test("generation 0 is the same for the same code, verifier, challenge and id, and for no other", async () => {
    const { line, ring } = createRig()
    const input = {
      kid: await ring.active(),
      sid: "s".repeat(22),
      code: "c",
      codeVerifier: "v",
      challenge: s256("x"),
    }
    const token = async (change: Partial<typeof input>) =>
      (await line.begin({ ...input, ...change })).refreshToken
    const tokens = [
      {},
      {},
      { code: "d" },
      { codeVerifier: "w" },
      { challenge: s256("y") },
      { sid: "t".repeat(22) },
    ]
    expect(new Set(await Promise.all(tokens.map(token))).size).toBe(5)
    expect(await token({ code: "cv", codeVerifier: "" })).not.toBe(await token({ code: "c" }))
  })
})

describe("R9: a store that lost commits", () => {
  test("believes a token of its own from the future and moves on", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const sent = []
    for (let i = 0; i < 5; i++) {
      sent.push(requestOf(holder))
      await rig.refresh(holder)
    }
    const lost = await rolledBack(holder, sent, 2)
    expect(outcomeOf(await lost.refresh(holder))).toBe(GRANTED)
    const idleExpiresAt = lost.clock.seconds + 30 * DAY
    expect(await lost.row(holder.sid)).toMatchObject({ gen: 6, idleExpiresAt })
    expect(lost.events.at(-1)).toMatchObject({ type: "session.refreshed", forward: true })
    // Late copies from before, from inside and from behind the gap: none is reuse, none brings a session token.
    for (const request of sent) expect(outcomeOf(await lost.line.refresh(request))).toBe("repeat")
    expect(outcomeOf(await lost.refresh(holder))).toBe(GRANTED)
  })

  test("F5: the verifier must open the token's challenge on the forward path too", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const sent = []
    for (let i = 0; i < 3; i++) {
      sent.push(requestOf(holder))
      await rig.refresh(holder)
    }
    const lost = await rolledBack(holder, sent, 1)
    const answerOnly = { refreshToken: holder.token, verifier: newVerifier(), challenge: s256(newVerifier()) }
    expect(outcomeOf(await lost.line.refresh(answerOnly))).toBe("session_reuse_detected")
    expect((await lost.row(holder.sid)).revokedReason).toBe("reuse")
  })

  test("moves on over a gap that is wider than the ring", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const sent = []
    for (let i = 0; i < 80; i++) {
      sent.push(requestOf(holder))
      await rig.refresh(holder)
    }
    const lost = await rolledBack(holder, sent, 10)
    expect(outcomeOf(await lost.refresh(holder))).toBe(GRANTED)
    for (const request of sent.slice(-25)) expect(outcomeOf(await lost.line.refresh(request))).toBe("repeat")
  })

  test("a forward step that loses its race is judged again", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const sent = []
    for (let i = 0; i < 4; i++) {
      sent.push(requestOf(holder))
      await rig.refresh(holder)
    }
    const lost = await rolledBack(holder, sent, 1)
    const request = requestOf(holder)
    const steps = await Promise.all(Array.from({ length: 10 }, () => lost.line.refresh(request)))
    expect(steps.map(outcomeOf).sort()).toEqual([GRANTED, ...Array(9).fill(REPEAT)])
  })
})

const holderSid = (steps: Awaited<ReturnType<ReturnType<typeof createRig>["line"]["refresh"]>>[]): string => {
  const [step] = steps
  return step?.outcome === "granted" ? step.row.sid : ""
}
