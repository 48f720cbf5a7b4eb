import { describe, expect, test } from "vitest"
import { createRig, newVerifier, outcomeOf, requestOf, s256 } from "./support/line.js"

const GRANTED = "granted with session token"

describe("a second party", () => {
  test("F1: is found at the first use of a generation that the owner has used", async () => {
    const rig = createRig()
    const owner = await rig.login()
    const thief = { ...owner }
    await rig.refresh(owner)
    expect(outcomeOf(await rig.refresh(thief))).toBe("session_reuse_detected")
    expect(outcomeOf(await rig.refresh(owner))).toBe("session_revoked")
    expect(rig.reuses).toEqual([{ session_id: owner.sid, sub: "the user" }])
    expect(rig.events.filter(({ type }) => type === "session.reuse_detected")).toEqual([
      {
        type: "session.reuse_detected",
        session_id: owner.sid,
        sub: "the user",
        generation: 0,
        row_generation: 1,
      },
    ])
  })

  test("F1: that used the credential first is found when the owner comes", async () => {
    const rig = createRig()
    const owner = await rig.login()
    const thief = { ...owner }
    for (let i = 0; i < 3; i++) expect(outcomeOf(await rig.refresh(thief))).toBe(GRANTED)
    expect(outcomeOf(await rig.refresh(owner))).toBe("session_reuse_detected")
    expect(outcomeOf(await rig.refresh(thief))).toBe("session_revoked")
  })

  test("F1: with a credential of more than 32 generations ago is found", async () => {
    const rig = createRig()
    const owner = await rig.login()
    const thief = { ...owner }
    for (let i = 0; i < 40; i++) await rig.refresh(owner)
    expect(outcomeOf(await rig.refresh(thief))).toBe("session_reuse_detected")
  })

  test("F4: of owner and thief at the same instant one is granted and one raises the alarm", async () => {
    for (let round = 0; round < 20; round++) {
      const rig = createRig()
      const owner = await rig.login()
      const thief = { ...owner }
      const steps = await Promise.all([rig.refresh(owner), rig.refresh(thief)])
      expect(steps.map(outcomeOf).sort()).toEqual([GRANTED, "session_reuse_detected"].sort())
      expect(rig.reuses).toHaveLength(1)
    }
  })

  test("F5: with a captured request gets nothing that it can go on with", async () => {
    const rig = createRig()
    const owner = await rig.login()
    const captured = requestOf(owner)
    await rig.refresh(owner)
    rig.clock.seconds += 31
    const step = await rig.line.refresh(captured)
    expect(outcomeOf(step)).toBe("repeat")
    const refreshToken = step.outcome === "granted" ? step.refreshToken : ""
    const next = { refreshToken, verifier: captured.verifier, challenge: s256(newVerifier()) }
    expect(outcomeOf(await rig.line.refresh(next))).toBe("session_reuse_detected")
  })

  test("F5: a token without its key is reuse for a token of any age, and says only how a dead session ended", async () => {
    for (const refreshes of [0, 1, 40]) {
      const rig = createRig()
      const owner = await rig.login()
      const stolen = { refreshToken: owner.token, verifier: newVerifier(), challenge: s256(newVerifier()) }
      for (let i = 0; i < refreshes; i++) await rig.refresh(owner)
      expect(outcomeOf(await rig.line.refresh(stolen))).toBe("session_reuse_detected")
      expect(outcomeOf(await rig.line.refresh(stolen))).toBe("session_revoked")
      expect(rig.reuses).toHaveLength(1)
    }
  })

  test("F1: is told once, however many alarms are raised at once", async () => {
    const rig = createRig()
    const owner = await rig.login()
    const thief = { ...owner }
    await rig.refresh(owner)
    const steps = await Promise.all([rig.refresh({ ...thief }), rig.refresh({ ...thief })])
    expect(steps.map(outcomeOf)).toEqual(["session_reuse_detected", "session_reuse_detected"])
    expect(rig.events.filter(({ type }) => type === "session.reuse_detected")).toHaveLength(1)
    expect(rig.reuses).toHaveLength(1)
  })

  test("a hook that throws leaves the answer and the revocation as they are", async () => {
    const rig = createRig({
      onReuse() {
        throw new Error("the team's own")
      },
    })
    const owner = await rig.login()
    const thief = { ...owner }
    await rig.refresh(owner)
    expect(outcomeOf(await rig.refresh(thief))).toBe("session_reuse_detected")
    expect((await rig.row(owner.sid)).revokedReason).toBe("reuse")
  })
})

describe("F6: a token that we did not issue", () => {
  test("reaches no store and ends no session", async () => {
    const rig = createRig()
    const holder = await rig.login()
    const request = requestOf(holder)
    rig.calls.length = 0
    const parts = holder.token.split(".")
    const changed = parts.flatMap((part, at) => {
      if (at === 1) return []
      const last = part.at(-1) === "A" ? "E" : "A"
      return [part.slice(0, -1) + last, `${part}A`, part.slice(1), ""].map((text) =>
        withPart(parts, at, text),
      )
    })
    const others = [
      ...changed,
      "",
      ".",
      "r1",
      "r1......",
      `${holder.token}.`,
      `x${holder.token}`,
      `${holder.token}\n`,
      "x".repeat(1e6),
    ]
    const generations = ["-1", "01", "1e3", "0x1", "99999999999", "٣"].map((gen) => withPart(parts, 3, gen))
    for (const refreshToken of [...others, ...generations]) {
      expect(outcomeOf(await rig.line.refresh({ ...request, refreshToken }))).toBe("invalid_token")
      expect(await rig.line.prove({ refreshToken, verifier: holder.verifier })).toBeNull()
    }
    expect(rig.calls).toEqual([])
    expect(outcomeOf(await rig.refresh(holder))).toBe(GRANTED)
  })

  test("a token of another secret under our key id is refused by its MAC", async () => {
    const [ours, theirs] = [createRig(), createRig({ secrets: [{ secret: "x".repeat(43), signFrom: 0 }] })]
    const forged = await theirs.login()
    const refreshToken = forged.token.replace(await theirs.ring.active(), await ours.ring.active())
    expect(outcomeOf(await ours.line.refresh({ ...requestOf(forged), refreshToken }))).toBe("invalid_token")
    expect(ours.calls).toEqual([])
  })

  test("a malformed challenge is a request that is invalid, and raises no alarm", async () => {
    const rig = createRig()
    const request = requestOf(await rig.login())
    rig.calls.length = 0
    const lengths = [31, 33].map((length) => Buffer.alloc(length).toString("base64url"))
    const spellings = [`${request.challenge.slice(0, -1)}B`, `${request.challenge}=`]
    for (const challenge of ["", "short", ...lengths, ...spellings]) {
      await expect(rig.line.refresh({ ...request, challenge })).rejects.toMatchObject({
        code: "invalid_request",
        reason: "session_challenge",
      })
    }
    expect(rig.calls).toEqual([])
  })
})

const withPart = (parts: string[], at: number, text: string) =>
  parts.map((part, i) => (i === at ? text : part)).join(".")
