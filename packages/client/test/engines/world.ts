// What stands around the app in `flow.ts`: time, a keychain, a provider and a backend, of plain objects, because the engine
// that this runs in may have nothing but the language.

export const SERVER = "https://api.example.com/auth"
const ISSUER = "https://id.example/"

/** A verifier and the challenge that it was shown for. Nothing here can hash: whoever started the engine does. */
export type Proof = [verifier: string, challenge: string]

const timers = (): ((callback: () => void, milliseconds: number) => unknown) | undefined =>
  (globalThis as { setTimeout?: (callback: () => void, milliseconds: number) => unknown }).setTimeout

/** Long enough for everything that waits for no timer, also where the engine hashes in another thread. */
async function idle(): Promise<void> {
  const setTimeout = timers()
  if (setTimeout) return new Promise((resolve) => void setTimeout(() => resolve(), 0))
  for (let turn = 0; turn < 300; turn++) await null
}

/** Virtual time: it moves on to the next timer when nothing else is left to do. */
export function virtualClock() {
  let now = 1_900_000_000_000
  let waiting: { due: number; run: () => void }[] = []
  function fire() {
    const [next] = [...waiting].sort((a, b) => a.due - b.due)
    if (!next) return
    waiting = waiting.filter((timer) => timer !== next)
    now = Math.max(now, next.due)
    next.run()
  }
  return {
    wall: () => now,
    monotonic: () => now,
    after(milliseconds: number, run: () => void) {
      const timer = { due: now + milliseconds, run }
      waiting.push(timer)
      return () => {
        waiting = waiting.filter((other) => other !== timer)
      }
    },
    advance: (milliseconds: number) => {
      now += milliseconds
    },
    /** Waits for `work` and lets the time pass that it needs. */
    async settled<T>(work: Promise<T>): Promise<T> {
      let isOver = false
      const over = () => {
        isOver = true
      }
      work.then(over, over)
      for (let turn = 0; turn < 2000; turn++) {
        await idle()
        if (isOver) return work
        fire()
      }
      throw new Error("it never settles")
    },
  }
}

const parameter = (url: string, name: string) =>
  decodeURIComponent(new RegExp(`[?&]${name}=([^&]*)`).exec(url)?.[1] ?? "")

/** A provider and a backend in one, with the rules of the session line. `lose(n)`: the next n answers do not arrive. */
export function bareBackend(clock: { wall(): number }) {
  const seen: string[] = []
  const refreshes: string[] = []
  const proofs: Proof[] = []
  const challenges: string[] = []
  let asked = { challenge: "", nonce: "" }
  let gen = 0
  let last = { body: "", grant: {} as object }
  let isOver = false
  let losing = 0

  const grant = (more = {}) => ({
    token_type: "Bearer",
    session_id: "A".repeat(22),
    session_token: `st.${gen}`,
    expires_in: 300,
    refresh_token: `rt.${gen}`,
    refresh_expires_in: 2_592_000,
    server_time: Math.floor(clock.wall() / 1000),
    ...more,
  })
  const refusal = (status: number, error: string) =>
    [status, { error, error_id: "0123456789abcdef", retryable: false }] as const

  function refresh(text: string): readonly [number, object] {
    const { refresh_token, session_verifier, session_challenge } = JSON.parse(text)
    refreshes.push(text)
    if (isOver) return refusal(401, "session_revoked")
    if (text === last.body) return [200, last.grant]
    if (refresh_token !== `rt.${gen}`) {
      isOver = true
      return refusal(401, "session_reuse_detected")
    }
    proofs.push([session_verifier, challenges[gen] ?? ""])
    challenges[++gen] = session_challenge
    last = { body: text, grant: grant() }
    return [200, last.grant]
  }

  function exchange(text: string): readonly [number, object] {
    const { code, code_verifier, nonce, iss, session_challenge } = JSON.parse(text)
    if (code !== "c" || nonce !== asked.nonce || iss !== ISSUER) return refusal(400, "login_failed")
    proofs.push([code_verifier, asked.challenge])
    challenges[0] = session_challenge
    return [200, grant({ user_info: { sub: "u1", name: "Ad\u00e4 \u{1F600}" } })]
  }

  function answer(route: string, text: string, bearer: string | null): readonly [number, object] {
    if (route === `POST ${SERVER}/exchange`) return exchange(text)
    if (route === `POST ${SERVER}/refresh`) return refresh(text)
    if (route === "GET https://api.example.com/me")
      return [bearer === `Bearer st.${gen}` && !isOver ? 200 : 401, {}]
    if (route === `POST ${SERVER}/logout`) {
      isOver = true
      return [200, {}]
    }
    if (route !== `GET ${SERVER}/config`) return refusal(404, "not_found")
    const provider = {
      id: "main",
      issuer: ISSUER,
      authorization_endpoint: "https://id.example/authorize",
      client_id: "app",
      scope: "openid",
      iss_in_callback: true,
      authorization_params: {},
    }
    return [200, { protocol: 1, providers: [provider], hosted: [] }]
  }

  const http = (async (url: string, init: RequestInit) => {
    const route = `${init.method ?? "GET"} ${url}`
    seen.push(route)
    const headers = init.headers as unknown as { get?(name: string): string | null }
    const [status, body] = answer(route, String(init.body ?? ""), headers.get?.("authorization") ?? null)
    await null
    if (losing-- > 0) throw new TypeError("the answer is lost")
    return {
      ok: status < 300,
      status,
      headers: { get: (name: string) => (name === "Pkce-Protocol" ? "1" : null) },
      text: async () => JSON.stringify(body),
    }
  }) as unknown as typeof fetch

  return {
    http,
    seen,
    /** The bodies of every refresh. */
    refreshes,
    proofs,
    lose: (answers: number) => {
      losing = answers
    },
    /** What the provider sends the browser back to. */
    authorize(url: string): string {
      asked = { challenge: parameter(url, "code_challenge"), nonce: parameter(url, "nonce") }
      const [state, iss] = [parameter(url, "state"), ISSUER].map(encodeURIComponent)
      return `${parameter(url, "redirect_uri")}?code=c&state=${state}&iss=${iss}`
    },
  }
}
