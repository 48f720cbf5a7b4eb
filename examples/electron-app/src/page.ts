import type { Bridge } from "./bridge.js"

declare const bridge: Bridge & { onChange(listener: () => void): void }

const find = (id: string) => document.getElementById(id) as HTMLElement
const actions = ["login", "cancel", "me", "refresh", "devices", "logout"] as const

async function draw() {
  const name = await bridge.who()
  find("name").textContent = name ?? "Nobody is signed in."
  for (const action of actions)
    find(action).hidden = (name === null) !== (action === "login" || action === "cancel")
}

for (const action of actions) {
  find(action).addEventListener("click", async () => {
    find("answer").textContent = await bridge[action]()
  })
}
bridge.onChange(() => void draw())
void draw()
