import type { Agent } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { newVerifier, s256 } from "../support/line.js"
import { post } from "./post.js"

/** One party's durable record, and what became of it. */
export interface Person {
  token: string
  verifier: string
  pending: string | null
  /** The code of the 401 that ended the session here. */
  ended: string | null
  refreshes: number
}

export const person = (token: string, verifier: string): Person => ({
  ...{ token, verifier, pending: null, ended: null, refreshes: 0 },
})

/** Where people send to. */
export interface Network {
  port: number
  agent: Agent
}

const TIMEOUT = 12_000

/** One request of the line and what a client does with its answer; true where the line moved. */
async function refresh(who: Person, { port, agent }: Network): Promise<boolean> {
  who.pending ??= newVerifier()
  const sent = { token: who.token, pending: who.pending }
  const body = JSON.stringify({
    refresh_token: who.token,
    session_verifier: who.verifier,
    session_challenge: s256(who.pending),
  })
  const answer = await post(port, "/auth/refresh", body, agent, TIMEOUT)
  if (answer?.status === 200) {
    const { refresh_token: token } = JSON.parse(answer.body) as { refresh_token: string }
    Object.assign(who, { token, verifier: sent.pending, pending: null, refreshes: who.refreshes + 1 })
    return true
  }
  if (answer?.status === 401) who.ended = (JSON.parse(answer.body) as { error: string }).error
  return false
}

/** Refreshes until the session ends or `over` says so; whatever is not an answer is repeated unchanged. */
export async function live(who: Person, network: Network, over: () => boolean): Promise<void> {
  while (!over() && who.ended === null) {
    const moved = await refresh(who, network)
    // The assumption of the line: no message comes more than 32 steps late. A client takes a step in 10 s; this one in a
    // fiftieth of that, so messages may be seconds late here as they may be minutes late there.
    await sleep(moved ? 100 + Math.random() * 200 : 20 + Math.random() * 60)
  }
}

/** Refreshes until one answer has come. */
export async function refreshOnce(who: Person, network: Network): Promise<void> {
  while (who.ended === null && !(await refresh(who, network))) await sleep(20)
}
