/** One thing that is wrong with the configuration. */
export interface Fault {
  /** The option, as a path: `providers.google.redirectUris[0]`. */
  option: string
  problem: string
  /** What to do about it. */
  mend: string
}

/**
 * The configuration cannot be used. Thrown at start with every fault at once; no fault repeats a value, so a secret
 * in the wrong place stays secret.
 *
 * @example
 * ```ts
 * try {
 *   createPkceServer(options)
 * } catch (error) {
 *   if (error instanceof ConfigurationError) for (const fault of error.faults) console.error(fault.option, fault.mend)
 *   throw error
 * }
 * ```
 */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError"
  readonly #faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ option, problem, mend }) => `  ${option}: ${problem}\n    ${mend}`)
    const count = faults.length === 1 ? "One fault" : `${faults.length} faults`
    super(`${count} in the configuration of @pkce/server:\n${lines.join("\n")}`)
    this.#faults = faults
  }

  // A getter: Node prints own members below the message, and would say everything twice.
  get faults(): readonly Fault[] {
    return this.#faults
  }
}

/** Collects faults and warnings while the options are read. */
export interface Report {
  fault(option: string, problem: string, mend: string): void
  warn(text: string): void
}
