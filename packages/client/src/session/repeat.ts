import { randomBytes } from "../pkce/crypto.js"
import type { ClockPort, CryptoPort } from "../platforms/ports.js"
import { pause } from "./clock.js"
import type { Answer, Call, Wire } from "./wire.js"

export interface Repeating {
  wire: Wire
  clock: ClockPort
  crypto: CryptoPort
}

/** Milliseconds in which the tries and the pauses between them have to find place: nobody waits longer for an answer. */
const PATIENCE = 15_000
/** Milliseconds: full jitter, anything between 0 and a bound that doubles from 500 to this. */
const LONGEST = 2000

/**
 * Sends the identical request until `settled` says that the answer settles it, four times at most. F2: the backend answers a
 * repeat as it answered the first, so an unknown outcome is cured by asking again, now or at the next call.
 */
export async function repeat(
  { wire, clock, crypto }: Repeating,
  call: Call,
  settled: (answer: Answer) => unknown,
): Promise<Answer> {
  const start = clock.monotonic()
  const left = () => start + PATIENCE - clock.monotonic()
  for (let bound = 500; ; bound *= 2) {
    const answer = await wire.send({ ...call, timeout: left() })
    if (settled(answer) || bound > LONGEST) return answer
    const [byte = 0] = randomBytes(crypto, 1)
    const wait = Math.max((byte / 256) * bound, answer.wait)
    if (wait >= left()) return answer
    await pause(clock, wait)
  }
}
