import { auth } from "./auth"

const find = (id: string) => document.getElementById(id) as HTMLElement

const actions: Record<string, () => Promise<string>> = {
  async login() {
    const { status } = await auth.login()
    return status
  },
  async me() {
    return (await auth.fetch("/me")).text()
  },
  async refresh() {
    return (await auth.refresh()) ? "refreshed" : "signed out"
  },
  async devices() {
    return (await auth.sessions.list()).map(({ device }) => device.name).join(", ")
  },
  async logout() {
    await auth.logout()
    return ""
  },
}

function draw() {
  find("name").textContent = auth.session
    ? String(auth.session.user?.name ?? "Somebody")
    : "Nobody is signed in."
  for (const name of Object.keys(actions)) find(name).hidden = (auth.session === null) !== (name === "login")
}

async function run(action: () => Promise<string>) {
  find("answer").textContent = await action().catch((error: { code?: string }) => error.code ?? "failed")
  draw()
}

for (const [name, action] of Object.entries(actions))
  find(name).addEventListener("click", () => void run(action))
auth.subscribe(draw)
void run(async () => {
  const { login } = await auth.restore()
  return login?.status === "failed" ? login.error.code : ""
})
