/** Told the id of a session that was ended. */
export type RevocationListener = (sid: string) => void

/**
 * Opens one connection and subscribes on it. `heard` is called for each session that somebody ended, `lost` when the
 * connection is gone for good. Resolves, once it listens, to what closes it.
 */
export type OpenSubscription = (heard: RevocationListener, lost: () => void) => Promise<() => unknown>

export interface Push {
  /** Starts to listen; returns what ends it. */
  on(listener: RevocationListener): () => void
  close(): Promise<void>
}

/** Milliseconds between two attempts, before jitter. */
const PAUSE = 1000

/**
 * One connection for however many listen, and none where nobody does. It is opened anew when it is lost; what was ended
 * meanwhile is not heard of, so a session token of such a session is good here until it expires.
 */
export function createPush(open: OpenSubscription): Push {
  const listeners = new Set<RevocationListener>()
  let running: { stop: AbortController; done: Promise<void> } | null = null
  let ended: Promise<void> = Promise.resolve()

  const heard: RevocationListener = (sid) => {
    for (const listener of listeners) listener(sid)
  }

  async function run(signal: AbortSignal): Promise<void> {
    const stopped = once(signal)
    while (!signal.aborted) {
      await listen(open, heard, stopped).catch(() => undefined)
      await Promise.race([pause(), stopped])
    }
  }

  function stop(): Promise<void> {
    if (running) {
      running.stop.abort()
      ended = running.done
      running = null
    }
    return ended
  }

  return {
    on(listener) {
      listeners.add(listener)
      if (!running) {
        const stop = new AbortController()
        running = { stop, done: run(stop.signal) }
      }
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) void stop()
      }
    },
    close() {
      listeners.clear()
      return stop()
    },
  }
}

/** Returns when the connection is lost, or `stopped` and the connection closed. */
async function listen(
  open: OpenSubscription,
  heard: RevocationListener,
  stopped: Promise<void>,
): Promise<void> {
  let lose: () => void = () => undefined
  const lost = new Promise<void>((resolve) => {
    lose = resolve
  })
  const opening = open(heard, lose)
  const close = await Promise.race([opening, stopped])
  if (!close) {
    // Stopped while it was being opened: nobody waits for a server that does not answer, and nothing stays open.
    opening.then((close) => close()).catch(() => undefined)
    return
  }
  await Promise.race([lost, stopped])
  await close()
}

const once = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))

const pause = () =>
  new Promise<void>((resolve) => {
    // A process that has nothing else to do may end.
    setTimeout(resolve, PAUSE * (0.5 + Math.random())).unref?.()
  })
