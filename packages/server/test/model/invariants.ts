import { s256 } from "../support/line.js"
import type { ModelServer } from "./server.js"
import { accepted, type Bounds, drawn, generationOf, type Party, requestOf, type World } from "./world.js"

/** Good messages within which an honest client has a new generation and a session token (I3). */
const RECOVERY = 3

/** Says which promise a state breaks, or `null`. What depends on a part of the state only is judged once for that part. */
export function findViolation(server: ModelServer, bounds: Bounds) {
  const { requests, rows, answers } = server
  const judged = new Map<string, string | null>()
  async function once(key: string, judge: () => Promise<string | null>): Promise<string | null> {
    const known = judged.get(key)
    if (known !== undefined) return known
    const verdict = await judge()
    judged.set(key, verdict)
    return verdict
  }

  /** A refresh with nothing in its way: the row and the party after it. */
  async function exchange(row: number, party: Party, now: number) {
    const request = requestOf(server, party)
    for (let process = { request, heard: "" }, at = row; ; ) {
      const done = await server.step(process, at, now)
      at = done.row
      if (done.process) {
        process = done.process
        continue
      }
      const next = accepted(server, party, request, done.answer)
      return { row: at, party: next ?? party, told: answers.of(done.answer) }
    }
  }

  /** I3: from here the honest client needs no more than a few messages that arrive. */
  async function progresses({ row, owner, late }: World): Promise<string | null> {
    let at = { row, party: owner }
    for (let sent = 1; sent <= RECOVERY; sent++) {
      const done = await exchange(at.row, drawn(at.party, "owner"), server.timeOf(late))
      if ("ended" in done.told) return `I3: the owner is told ${done.told.ended}`
      if (
        "token" in done.told &&
        done.told.fresh &&
        generationOf(done.party.token) > generationOf(owner.token)
      )
        return null
      at = done
    }
    return `I3: no session token after ${RECOVERY} messages`
  }

  /** I2: from here, if owner and thief both go on, the session ends. */
  async function detects({ row, owner, thief, late }: World): Promise<string | null> {
    const parties = [owner, thief ?? owner]
    const names = ["owner", "thief"]
    let at = row
    // After a rollback the generations of the gap prove nothing: as many more steps as it may be wide.
    const rounds = 2 * (2 + (bounds.rollbacks > 0 ? bounds.generations : 0))
    for (let turn = 0; turn < rounds && rows.of(at).revokedAt === null; turn++) {
      const who = turn % 2
      const done = await exchange(at, drawn(parties[who] ?? owner, names[who] ?? ""), server.timeOf(late))
      at = done.row
      parties[who] = done.party
    }
    return rows.of(at).revokedAt === null ? "I2: owner and thief both go on, unnoticed" : null
  }

  /** I2: no generation was granted to two challenges, unless the store lost the first grant. */
  function forked(world: World): boolean {
    const granted = new Map<string, string>()
    for (const [to, answer] of world.answers) {
      if ("ended" in answers.of(answer)) continue
      const { refreshToken, challenge } = requests.of(to)
      const other = granted.get(refreshToken)
      if (other !== undefined && other !== challenge) return true
      granted.set(refreshToken, challenge)
    }
    return false
  }

  /** I5: of all the pairs that anybody has, the row lets at most one take a new step. */
  async function oneAccepted({ row, requests: sent, owner, thief, late }: World): Promise<string | null> {
    const pairs = [owner, ...(thief ? [thief] : [])]
    for (const id of sent) {
      const { refreshToken, verifier } = requests.of(id)
      pairs.push({ token: refreshToken, verifier, pending: null })
    }
    const open = new Set<string>()
    for (const { token, verifier } of pairs) {
      const request = requests.id({ refreshToken: token, verifier, challenge: s256("anybody's") })
      const done = await server.step({ request, heard: "" }, row, server.timeOf(late))
      if (rows.of(done.row).gen > rows.of(row).gen) open.add(token)
    }
    return open.size > 1 ? "I5: two pairs are accepted" : null
  }

  return async (world: World): Promise<string | null> => {
    const { row, owner, thief, late, rollbacks } = world
    const key = `${row} ${late} ${owner.token} ${owner.pending}`
    if (!thief) {
      if (world.ended) return `I1: the owner was told ${world.ended}`
      if (rows.of(row).revokedAt !== null) return "I1: the session of an honest client is revoked"
      const stuck = await once(`I3 ${key}`, () => progresses(world))
      if (stuck) return stuck
    } else {
      const both = `${key} ${thief.token} ${thief.pending}`
      const missed = await once(`I2 ${both}`, () => detects(world))
      if (missed) return missed
    }
    if (rollbacks > 0) return null
    if (forked(world)) return "I2: one generation was granted to two parties"
    const thiefs = thief ? thief.token : ""
    return once(`I5 ${key} ${thiefs} ${world.requests}`, () => oneAccepted(world))
  }
}

/** I4: no row that was ever written holds the secret of a token, or a verifier. */
export function leaked({ requests, answers, rows }: ModelServer): string | null {
  const secrets = new Set<string>()
  const addSecretOf = (token: string) =>
    secrets.add(Buffer.from(token.split(".")[5] ?? "", "base64url").toString("hex"))
  for (const { refreshToken, verifier } of requests.values) {
    addSecretOf(refreshToken)
    secrets.add(Buffer.from(verifier).toString("hex"))
  }
  for (const answer of answers.values) if ("token" in answer) addSecretOf(answer.token)
  for (const { cur, history } of rows.values) {
    const kept = Buffer.concat([cur, history]).toString("hex")
    for (const secret of secrets) if (kept.includes(secret)) return "I4: a row holds a secret"
  }
  return null
}
