/** An exporter or a span processor of the team's may throw: that must cost nobody a login. */
export function quietly<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
