/**
 * What the store needs of a pool: `Pool` of `pg` has it. Each statement may go to another connection. `query_timeout`, in
 * milliseconds, is pg's: its pool gives up the connection on which a statement has had no answer for so long.
 */
export interface PostgresPool {
  query(statement: {
    text: string
    values?: unknown[]
    query_timeout?: number
  }): Promise<{ rows: Record<string, unknown>[] }>
}

/** What listening needs: a connected `Client` of `pg`, used for nothing else, and not behind a pooling proxy. */
export interface PostgresListener {
  query(text: string): Promise<unknown>
  on(event: "notification", listener: (message: { payload?: string | undefined }) => void): unknown
  on(event: "error" | "end", listener: () => void): unknown
  end(): Promise<unknown>
}

export interface PostgresStoreOptions {
  /** The schema of the tables, a plain lower-case name. Default `public`. */
  schema?: string
  /**
   * Opens a connection of its own for hearing of sessions that other processes have ended (`LISTEN`). Without it this
   * process hears of them at the next refresh, or where `checkRevocation` asks.
   */
  listener?: () => Promise<PostgresListener>
  /** The time in milliseconds, for tests; by default PostgreSQL's own clock is read inside each statement. */
  now?: () => number
}
