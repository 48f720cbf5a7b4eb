import type { ClockPort, CryptoPort } from "../platforms/ports.js"
import { backoff, pause } from "./clock.js"
import type { Answer, Call, Wire } from "./wire.js"

export interface Repeating {
  wire: Wire
  clock: ClockPort
  crypto: CryptoPort
}

const TRIES = 4
/** Milliseconds in which the tries and the pauses between them have to find place: nobody waits longer for an answer. */
const PATIENCE = 15_000

/**
 * Sends the identical request until `settled` says that the answer settles it, four times at most. F2: the backend answers a
 * repeat as it answered the first, so an unknown outcome is cured by asking again, now or at the next call.
 */
export async function repeat(
  { wire, clock, crypto }: Repeating,
  call: Call,
  settled: (answer: Answer) => boolean,
): Promise<Answer> {
  const start = clock.monotonic()
  const left = () => start + PATIENCE - clock.monotonic()
  for (let attempt = 0; ; attempt++) {
    const answer = await wire.send({ ...call, timeout: Math.min(10_000, left()) })
    if (settled(answer) || attempt + 1 >= TRIES) return answer
    const wait = Math.max(backoff(crypto, attempt), answer.wait)
    if (wait >= left()) return answer
    await pause(clock, wait)
  }
}
