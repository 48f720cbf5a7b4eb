import type { Memory, Step } from "@pkce-examples/flow"

const KEPT = 80

/**
 * The drawn steps of this tab. They outlive the visit to the provider in sessionStorage: names, cut values and hashes,
 * never a token.
 */
export function openSteps(changed: (steps: Step[]) => void) {
  let steps: Step[] = JSON.parse(sessionStorage.getItem("steps") ?? "[]")

  function add(step: Step) {
    // The backend and the provider report by another road than the page.
    steps = [...steps, step].sort((a, b) => a.at - b.at).slice(-KEPT)
    sessionStorage.setItem("steps", JSON.stringify(steps))
    changed(steps)
  }

  function listen() {
    const seen = sessionStorage.getItem("seen")
    const source = new EventSource(seen === null ? "/flow" : `/flow?from=${seen}`)
    const remember = (event: MessageEvent) => sessionStorage.setItem("seen", event.lastEventId)
    source.addEventListener("here", remember)
    source.addEventListener("message", (event) => {
      remember(event)
      add(JSON.parse(event.data))
    })
  }

  listen()
  changed(steps)

  return {
    tell: (step: Omit<Step, "at">) => add({ ...step, at: Date.now() }),
    all: () => steps,
    clear() {
      steps = []
      sessionStorage.removeItem("steps")
      changed(steps)
    },
  }
}

/** For `watchApp`: hashes of what was sent, until the callback comes. */
export const tabMemory: Memory = {
  get: (name) => sessionStorage.getItem(`flow:${name}`) ?? undefined,
  set: (name, value) => sessionStorage.setItem(`flow:${name}`, value),
}
