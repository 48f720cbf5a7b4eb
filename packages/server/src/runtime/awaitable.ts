import type { Awaitable } from "./crypto.js"

/** `await` that stays synchronous where the value already is there: the session check runs on every API call. */
export const chain = <T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> =>
  value instanceof Promise ? value.then(next) : next(value)
