import type { Config } from "../config/config.js"
import { createRateLimit } from "./rate-limit.js"

/** Times a minute, and at once. An address is a whole office, or a carrier's phones. */
const PER_ADDRESS = { perMinute: 30, burst: 200 }
const TOGETHER = { perMinute: 1200, burst: 10_000 }
const EVERYBODY = "0.0.0.0"

/**
 * A7: counts what anybody may ask for without a failure, by one address and by all of them together, in this process. What it
 * returns throws `rate_limited`, and what was refused is not counted. `times` makes room for more of it than there are logins.
 */
export function createFloodLimit(
  { rateLimit }: Pick<Config, "rateLimit">,
  times = 1,
): (address: string | undefined) => void {
  const allowing = ({ perMinute, burst }: typeof TOGETHER) => ({
    perMinute: times * perMinute,
    burst: times * burst,
  })
  const [one, all] = [
    createRateLimit(rateLimit && allowing(PER_ADDRESS)),
    createRateLimit(allowing(TOGETHER)),
  ]
  return (address) => {
    one.check(address)
    all.check(EVERYBODY)
    one.failed(address)
    all.failed(EVERYBODY)
  }
}
