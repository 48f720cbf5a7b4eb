import type { PkceClient } from "./client.js"
import type { PkceError } from "./errors.js"
import type { LoginOptions, LoginResult, Restored } from "./login/login.js"
import type { ClientSession } from "./session/events.js"

/** What is needed of React 18 or newer: `import * as React from "react"` has it. */
export interface ReactLike<Element> {
  createContext<T>(initial: T): { Provider: unknown }
  // biome-ignore lint/suspicious/noExplicitAny: React's own overloads name every kind of component
  createElement(type: any, props: any, ...children: any[]): Element
  useCallback<T extends (...args: never[]) => unknown>(callback: T, dependencies: readonly unknown[]): T
  // biome-ignore lint/suspicious/noExplicitAny: the context is React's own
  useContext(context: any): unknown
  useEffect(effect: () => void, dependencies: readonly unknown[]): void
  useState<S>(initial: S): [S, (next: S) => void]
  useSyncExternalStore<T>(
    subscribe: (listener: () => void) => () => void,
    get: () => T,
    getOnServer: () => T,
  ): T
}

/** Who is logged in, as a component sees it. */
export type SessionState =
  /** The storage has not been read yet. It is so on a server, and in the first render of a page that came from one. */
  | { status: "loading"; session: null; error: null }
  | { status: "signed_in"; session: ClientSession; error: null }
  | { status: "signed_out"; session: null; error: null }
  /** The storage could not be read; the next mount of the provider tries again. Nobody was logged out. */
  | { status: "failed"; session: null; error: PkceError }

interface Watched {
  state: SessionState
  /** The login that a redirect or a killed app had interrupted. */
  login: Restored["login"]
  subscribe(listener: () => void): () => void
  start(): void
}

const LOADING: SessionState = { status: "loading", session: null, error: null }

// One for each client, whatever mounts and unmounts: StrictMode's second effect finds what the first began.
const watched = new WeakMap<PkceClient, Watched>()

function watch(client: PkceClient): Watched {
  const known = watched.get(client)
  if (known) return known
  const listeners = new Set<() => void>()
  let isStarted = false
  let isSubscribed = false

  const own: Watched = {
    state: LOADING,
    login: undefined,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    start() {
      if (isStarted) return
      isStarted = true
      if (!isSubscribed)
        client.subscribe(() => {
          // While it loads, and where it could not be loaded, an event tells no more than half.
          if (own.state !== LOADING && (own.state.status !== "failed" || client.session)) show()
        })
      isSubscribed = true
      client.restore().then(
        ({ login }) => {
          own.login = login
          show()
        },
        (error: PkceError) => {
          isStarted = false
          set({ status: "failed", session: null, error })
        },
      )
    },
  }
  function set(state: SessionState): void {
    own.state = state
    for (const tell of listeners) tell()
  }
  function show(): void {
    const { session } = client
    set(
      session
        ? { status: "signed_in", session, error: null }
        : { status: "signed_out", session: null, error: null },
    )
  }
  watched.set(client, own)
  return own
}

export interface UseLogin {
  /** Call it in the handler of the user's gesture. It never rejects: what went wrong is in `error`. */
  login(options?: LoginOptions): Promise<LoginResult | { status: "failed"; error: PkceError }>
  isPending: boolean
  /** Why the last login failed; also one that a redirect or a killed app had interrupted. */
  error: PkceError | null
}

/** What {@link createPkceReact} makes. */
export interface PkceReact<Element> {
  /** Gives the client to the hooks below it, and restores the session once, when it is mounted in a browser or an app. */
  PkceProvider(props: { client: PkceClient; children?: unknown }): Element
  /** The client of the provider above. Throws where there is none. */
  usePkce(): PkceClient
  /** Who is logged in. The component renders again when that changes, in another tab too. */
  useSession(): SessionState
  /** Logs in. */
  useLogin(): UseLogin
}

/**
 * The provider and the hooks, made with the app's own React. Call it once, in a module.
 *
 * @example
 * ```ts
 * import * as React from "react"
 *
 * export const { PkceProvider, useSession, useLogin } = createPkceReact(React)
 * ```
 */
export function createPkceReact<Element>(React: ReactLike<Element>): PkceReact<Element> {
  const { createContext, createElement, useCallback, useContext, useEffect, useState, useSyncExternalStore } =
    React
  const Context = createContext<PkceClient | null>(null)

  function usePkce(): PkceClient {
    const client = useContext(Context) as PkceClient | null
    if (!client) throw new Error("usePkce: there is no <PkceProvider> above this component")
    return client
  }

  return {
    usePkce,

    PkceProvider({ client, children }) {
      useEffect(() => watch(client).start(), [client])
      return createElement(Context.Provider, { value: client }, children)
    },

    useSession() {
      const own = watch(usePkce())
      return useSyncExternalStore(
        own.subscribe,
        () => own.state,
        () => LOADING,
      )
    },

    useLogin() {
      const client = usePkce()
      const own = watch(client)
      const [isPending, setPending] = useState(false)
      const [failure, setFailure] = useState<PkceError | null | undefined>(undefined)
      const interrupted = useSyncExternalStore(
        own.subscribe,
        () => own.login,
        () => undefined,
      )
      const login = useCallback(
        async (options?: LoginOptions) => {
          setPending(true)
          setFailure(null)
          try {
            return await client.login(options)
          } catch (thrown) {
            const error = thrown as PkceError
            setFailure(error)
            return { status: "failed" as const, error }
          } finally {
            setPending(false)
          }
        },
        [client],
      )
      const earlier = interrupted?.status === "failed" ? interrupted.error : null
      return { login, isPending, error: failure === undefined ? earlier : failure }
    },
  }
}
