import { PkceError } from "../errors.js"
import { ignored, readCallback, refused } from "../pkce/callback.js"
import type { ClockPort } from "../platforms/ports.js"
import { type Age, ageSince } from "../session/clock.js"
import { type ClientRecord, closeLogin, type RecordStore, type StoredLogin } from "../session/record.js"

/** A7: logins that may wait at once, and for how many milliseconds. */
const MOST = 5
export const LIFETIME = 600_000

/** Whether a URL is an answer to this login, good or bad. What is not cannot end it. */
export const isFor = (login: StoredLogin, url: string): boolean => !readCallback(url, login).ignorable

/** Why no login of this app takes the URL. */
function unmatched({ logins, used }: ClientRecord, url: string): PkceError {
  // B3, B4: known and over, or never asked for.
  if (used.some((state) => `${url}`.includes(state))) return ignored("callback_used")
  const [newest] = logins.slice(-1)
  return newest ? (readCallback(url, newest) as PkceError) : ignored("callback_unexpected")
}

/** The logins in the record. */
export interface Transactions {
  /** Durable before it resolves, which is before the browser opens. */
  add(login: StoredLogin): Promise<void>
  /** The login that the callback ends, with its code, now `redeeming`. Throws why there is none. */
  take(url: string): Promise<StoredLogin>
  /** The newest login whose code was taken and whose outcome is not known. */
  unfinished(): Promise<StoredLogin | undefined>
}

export function createTransactions(record: RecordStore, clock: ClockPort): Transactions {
  // B9: within one run of the app the monotonic clock has a say too.
  const ages = new Map<string, Age>()
  const isOver = (login: StoredLogin) =>
    (ages.get(login.state) ?? ageSince(clock, login.redeemedAt ?? login.createdAt))() > LIFETIME

  return {
    async add(login) {
      ages.set(login.state, ageSince(clock, login.createdAt))
      await record.update((stored) => {
        stored.logins = [...stored.logins.filter((other) => !isOver(other)), login].slice(-MOST)
      })
    },

    async take(url) {
      // B3: one atomic change makes one taker. The code marks a login as taken: a copy of the same callback finds it there and
      // joins, a callback with another code comes too late.
      const outcome = await record.update((stored) => {
        const login = stored.logins.find((waiting) => isFor(waiting, url))
        if (!login) return unmatched(stored, url)
        const { request, parameter = "code" } = login
        const answer = isOver(login) ? refused("flow_expired") : readCallback(url, login)
        if (answer instanceof PkceError) {
          if (!login.redeemedAt) closeLogin(stored, login.state)
          return answer
        }
        if (login.redeemedAt) return answer.code === request[parameter] ? login : ignored("callback_used")
        login.redeemedAt = clock.wall()
        request[parameter] = answer.code
        if (!login.parameter) request.iss = answer.iss
        return login
      })
      if (outcome instanceof PkceError) throw outcome
      ages.delete(outcome.state)
      return outcome
    },

    async unfinished() {
      const { logins } = await record.read()
      return logins.filter((login) => login.redeemedAt && !isOver(login)).pop()
    },
  }
}
