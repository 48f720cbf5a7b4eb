import { createPkceClient, type Platform } from "@pkce/client"
import { cli } from "@pkce/client/cli"

// A program on the command line that logs in over HTTP, loses an answer, is started again and logs out.

export interface Story {
  login: string
  /** Status and body of the API's answers: after the login, after the refresh, with the token of an ended session. */
  api: [status: number, body: unknown][]
  /** How many refreshes were sent, and how many of them differed. */
  refreshes: [sent: number, different: number]
  /** Whether the session was there again in a new process, and after the logout. */
  restored: [before: boolean, after: boolean]
}

const HOUR = 3_600_000

export async function story(origin: string, directory: string): Promise<Story> {
  const sent: string[] = []
  let later = 0
  let losing = 0
  const http: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init)
    if (!String(input).endsWith("/refresh")) return answer
    sent.push(String(init?.body))
    if (losing-- <= 0) return answer
    await answer.text()
    throw new TypeError("the answer is lost")
  }
  const platform: Platform = {
    // A browser of one request: it follows the provider's redirect to the loopback listener.
    ...cli({ directory, openBrowser: async (url) => void (await fetch(url)).text() }),
    http,
    clock: {
      wall: () => Date.now() + later,
      monotonic: () => performance.now() + later,
      after(milliseconds, run) {
        const timer = setTimeout(run, milliseconds)
        return () => clearTimeout(timer)
      },
    },
  }
  const start = () =>
    createPkceClient({ server: `${origin}/auth`, redirectUri: "http://127.0.0.1/callback", platform })
  const api: Story["api"] = []
  const me = async (call: (url: string) => Promise<Response>) => {
    const answer = await call(`${origin}/me`)
    const text = await answer.text()
    api.push([answer.status, text === "" ? null : JSON.parse(text)])
  }

  const app = start()
  const { status: login } = await app.login()
  await me(app.fetch)
  later += HOUR
  losing = 1
  await app.getSessionToken()

  const again = start()
  const { session } = await again.restore()
  await me(again.fetch)
  const token = await again.getSessionToken()
  await again.logout()
  await me((url) => fetch(url, { headers: { authorization: `Bearer ${token}` } }))
  const after = await start().restore()
  return {
    login,
    api,
    refreshes: [sent.length, new Set(sent).size],
    restored: [session !== null, after.session !== null],
  }
}
