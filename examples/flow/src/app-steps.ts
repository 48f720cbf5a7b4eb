import { s256 } from "./hash.js"
import { arrow, hidden, type Step, same, shown } from "./step.js"

type Told = Omit<Step, "at">

/** What must be known of earlier steps. A page keeps it over a reload: it holds hashes, never a secret. */
export interface Memory {
  get(name: string): string | undefined
  set(name: string, value: string): void
}

/** A request of the app, as it is about to be sent. */
export interface Exchange {
  /** Method and path, such as `POST /exchange`. */
  route: string
  body: Record<string, string>
  bearer: string | undefined
}

/** The routes of the login's own handler; the rest is the app's API. */
const ownRoute = /^\w+ \/(config|exchange|refresh|logout|session|sessions)(\/|$)/

/** Steps 1 and 2: the authorization URL tells what the app has made. */
export async function opened(url: string, memory: Memory): Promise<Told[]> {
  const { origin, pathname, searchParams } = new URL(url)
  const param = (name: string) => searchParams.get(name) ?? ""
  memory.set("state", await s256(param("state")))
  memory.set("code_challenge", param("code_challenge"))
  const absent = (name: string) => ({ text: `no ${name} in the URL`, ok: !searchParams.has(name) })
  const visible = ["client_id", "redirect_uri", "scope"].map((name) => shown(name, param(name)))
  return [
    arrow(1, "app", "app", "The app makes PKCE, state and nonce", [
      shown("code_challenge_method", param("code_challenge_method")),
      ...["code_challenge", "state", "nonce"].map((name) => hidden(name, param(name))),
    ]),
    arrow(
      2,
      "app",
      "browser",
      "It opens the browser at the provider's authorization endpoint",
      [shown("GET", origin + pathname), ...visible],
      [absent("code_verifier"), absent("client_secret")],
    ),
  ]
}

/** Step 4, once for each callback, however often its URL is looked at. */
export async function returned(url: string, memory: Memory): Promise<Told[]> {
  const { searchParams } = new URL(url)
  const [code, state, iss] = ["code", "state", "iss"].map((name) => searchParams.get(name) ?? "")
  if (!code || !state) return []
  const hash = await s256(state)
  if (memory.get("returned") === hash) return []
  memory.set("returned", hash)
  memory.set("iss", iss ?? "")
  return [
    arrow(4, "provider", "app", "The provider sends the browser back to the app's redirect URI", [
      shown("redirect_uri", url.split("?")[0] ?? ""),
      hidden("code", code),
      hidden("state", state),
      shown("iss", iss || "none"),
    ]),
  ]
}

/** Step 5 and what the app asks later. */
export async function asked({ route, body }: Exchange, memory: Memory): Promise<Told[]> {
  const { code = "", code_verifier = "", nonce = "", session_challenge = "" } = body
  if (route === "POST /exchange") {
    const state = memory.get("state")
    const iss = memory.get("iss")
    const computed = await s256(code_verifier)
    memory.set("session_challenge", session_challenge)
    return [
      arrow(
        5,
        "app",
        "backend",
        "The app checks the callback and hands the code to its own backend",
        [
          shown("POST", "/exchange"),
          hidden("code", code),
          hidden("code_verifier", code_verifier),
          hidden("nonce", nonce),
        ],
        [
          {
            text: "state of the callback = state of step 1",
            ok: state !== undefined && state === memory.get("returned"),
          },
          { text: `iss ${iss} = the issuer of the backend's /config`, ok: iss === memory.get("issuer") },
          same("S256(code_verifier)", computed, "code_challenge of step 1", memory.get("code_challenge")),
        ],
      ),
    ]
  }
  if (route === "POST /refresh") {
    const computed = await s256(body.session_verifier ?? "")
    const last = memory.get("session_challenge")
    memory.set("session_challenge", session_challenge)
    const title = "The app refreshes: it opens the last challenge and sets the next"
    return [
      arrow(
        "refresh",
        "app",
        "backend",
        title,
        ["refresh_token", "session_verifier", "session_challenge"].map((name) =>
          hidden(name, body[name] ?? ""),
        ),
        // Where another tab made the last step, this one cannot know its challenge, and compares nothing.
        computed === last ? [same("S256(session_verifier)", computed, "the last challenge", last)] : [],
      ),
    ]
  }
  if (route === "POST /logout") {
    return [arrow("logout", "app", "backend", "The app has forgotten the session and tells the backend")]
  }
  return []
}

/** Step 8 and what the backend answers later. */
export function answered(
  { route, bearer }: Exchange,
  status: number,
  answer: Record<string, unknown>,
  memory: Memory,
): Told[] {
  if (bearer !== undefined && !ownRoute.test(route)) {
    const check = { text: `the backend answers ${status}`, ok: status < 400 }
    const credential = [hidden("Authorization: Bearer", bearer)]
    return [arrow("call", "app", "backend", `The app calls ${route}`, credential, [check])]
  }
  if (route === "GET /config") {
    const [provider] = (answer.providers ?? []) as { issuer: string }[]
    memory.set("issuer", provider?.issuer ?? "")
  }
  if (route !== "POST /exchange" && route !== "POST /refresh") return []
  const place = route === "POST /exchange" ? 0 : "refresh"
  if (status !== 200) return [arrow(place, "backend", "app", `The backend answers ${status} ${answer.error}`)]

  const grant = [
    hidden("session_token", String(answer.session_token ?? "")),
    shown("expires_in", `${answer.expires_in} s`),
    hidden("refresh_token", String(answer.refresh_token ?? "")),
  ]
  if (place === "refresh") return [arrow(place, "backend", "app", "The app has the next generation", grant)]
  const { name, email } = (answer.user_info ?? {}) as { name?: string; email?: string }
  const check = {
    text: "no access_token and no id_token in the answer",
    ok: !("access_token" in answer || "id_token" in answer),
  }
  const user = shown("user_info", `${name} <${email}>`)
  return [
    arrow(
      8,
      "backend",
      "app",
      "The app has its session; the provider's tokens stay behind",
      [...grant, user],
      [check],
    ),
  ]
}
