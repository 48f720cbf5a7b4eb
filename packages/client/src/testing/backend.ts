import type { ConfigProvider, Delivery, Device, SessionSummary, UserInfo } from "@pkce/protocol"
import { answer, draw, type Redeemable, refusal, type Seen, s256 } from "./answers.js"
import type { FakeClock } from "./clock.js"
import { fakeHosted } from "./hosted.js"

/** The issuer that every fake callback names. */
export const ISSUER = "https://id.example.com/"

/** The one provider that the backend knows. */
export const provider: ConfigProvider = {
  id: "main",
  issuer: ISSUER,
  authorization_endpoint: "https://id.example.com/authorize",
  client_id: "app",
  scope: "openid profile",
  iss_in_callback: true,
  authorization_params: {},
}

/** What happens to one request. `lost`: it is carried out, and its answer does not arrive. */
export type Fault =
  | "lost"
  | "down"
  | "portal"
  | "hangs"
  | Response
  | ((seen: Seen) => Response | undefined | Promise<Response | undefined>)

/** What the backend keeps of a session. */
export interface Row {
  gen: number
  /** The challenge that opens each generation. */
  challenges: string[]
  advancedAt: number
  /** Seconds since the epoch. */
  createdAt: number
  seenAt: number
  device: Device
  revoked?: string
}

/** Seconds. */
const IDLE = 2_592_000

/**
 * A backend that speaks the wire: exchange, hosted login, and refresh with the rules of the session line, on virtual time. Its
 * `http` stands for `fetch`. `faults` are used up by the next requests, one each.
 *
 * @example
 * ```ts
 * const backend = fakeBackend(fakeClock())
 * backend.faults.push("lost", "portal") // an answer that gets lost, then a hotel's sign-in page
 * expect(backend.to("POST /refresh")).toHaveLength(2)
 * ```
 */
export function fakeBackend(clock: FakeClock) {
  const rows = new Map<string, Row>()
  const codes = new Map<string, Redeemable & { challenge: string; nonce: string; redirectUri: string }>()
  const requests: Seen[] = []
  const faults: Fault[] = []
  const settings = {
    lifetime: 300,
    providers: [provider],
    hosted: ["redirect", "webview", "poll"] as Delivery[],
    whileDown: false,
    logoutUrl: undefined as string | undefined,
    /** Who logs in. */
    user: { sub: "user-of-alice", idp_iss: ISSUER, idp_sub: "alice", name: "Alice" } as UserInfo,
  }

  const seconds = () => Math.floor(clock.wall() / 1000)
  const grant = (sid: string, row: Row, withToken: boolean, more: { user_info?: UserInfo } = {}) =>
    answer(200, {
      token_type: "Bearer",
      session_id: sid,
      refresh_token: `${sid}~${row.gen}`,
      refresh_expires_in: IDLE,
      server_time: seconds(),
      ...(withToken && { session_token: `st.${sid}.${draw()}`, expires_in: settings.lifetime }),
      ...more,
    })
  const isRecent = (row: Row) => clock.monotonic() - row.advancedAt <= 30_000

  function exchange({ body }: Seen): Response {
    const entry = codes.get(String(body.code))
    const isRight =
      entry?.challenge === s256(String(body.code_verifier)) &&
      entry.nonce === body.nonce &&
      entry.redirectUri === body.redirect_uri &&
      (body.iss === undefined || body.iss === ISSUER)
    return isRight ? grantOnce(entry, body) : refusal(400, "login_failed")
  }

  /** The identical request gets the identical session, another one none. */
  function grantOnce(entry: Redeemable, body: Seen["body"]): Response {
    const text = JSON.stringify(body)
    if (entry.body !== undefined && entry.body !== text) return refusal(400, "login_failed")
    entry.body = text
    entry.sid ??= draw()
    const row = rows.get(entry.sid) ?? {
      gen: 0,
      challenges: [String(body.session_challenge)],
      advancedAt: clock.monotonic(),
      createdAt: seconds(),
      seenAt: seconds(),
      device: entry.device ?? (body.device as Device | undefined) ?? {},
    }
    rows.set(entry.sid, row)
    if (row.gen > 0 || row.revoked) return refusal(409, "exchange_interrupted")
    return grant(entry.sid, row, isRecent(row), { user_info: settings.user })
  }

  const hosted = fakeHosted({ clock, grantOnce, offers: (delivery) => settings.hosted.includes(delivery) })

  /** What a refresh token names, and whether the verifier opens it. */
  function readLine(body: Seen["body"]) {
    const [sid = "", text] = String(body.refresh_token).split("~")
    const gen = Number(text)
    const row = rows.get(sid)
    return { sid, gen, row, opens: row?.challenges[gen] === s256(String(body.session_verifier)) }
  }

  function refresh({ body }: Seen): Response {
    const { sid, gen, row, opens } = readLine(body)
    if (!row) return refusal(401, "session_expired")
    if (row.revoked) return refusal(401, row.revoked)
    const next = String(body.session_challenge)
    if (opens && gen === row.gen) {
      row.gen++
      row.challenges[row.gen] = next
      row.advancedAt = clock.monotonic()
      row.seenAt = seconds()
      return grant(sid, row, true)
    }
    if (opens && row.challenges[gen + 1] === next) {
      const repeated = { ...row, gen: gen + 1 }
      return grant(sid, repeated, gen + 1 === row.gen && isRecent(row))
    }
    row.revoked = "session_reuse_detected"
    return refusal(401, row.revoked)
  }

  const summary = ([session_id, row]: [string, Row], own: Row): SessionSummary => ({
    session_id,
    current: row === own,
    created_at: row.createdAt,
    last_seen_at: row.seenAt,
    expires_at: row.seenAt + IDLE,
    device: row.device,
  })

  /** The routes of a session, which its token names; or, for a logout, the line. */
  function routeOfSession(seen: Seen): Response {
    const [method, path = ""] = seen.route.split(" ")
    const sid = seen.bearer?.split(".")[1] ?? ""
    const { row, opens } = readLine(seen.body)
    const own = rows.get(sid) ?? (opens ? row : undefined)
    if (!own) return refusal(401, "invalid_token")
    if (seen.route === "POST /logout") {
      own.revoked ??= "session_revoked"
      return answer(200, settings.logoutUrl ? { logout_url: settings.logoutUrl } : {})
    }
    if (own.revoked) return refusal(401, "session_revoked")
    if (seen.route === "GET /session") {
      const { sub, idp_iss, idp_sub } = settings.user
      const { session_id, created_at, expires_at } = summary([sid, own], own)
      const [{ id } = provider] = settings.providers
      const session = { session_id, sub, idp_iss, idp_sub, provider: id, created_at, expires_at }
      return answer(200, { session, user_info: settings.user })
    }
    if (seen.route === "GET /sessions") {
      const live = [...rows].filter(([, row]) => !row.revoked).reverse()
      return answer(200, { sessions: live.map((entry) => summary(entry, own)) })
    }
    if (method !== "DELETE" || !path.startsWith("/sessions")) return refusal(404, "not_found")
    const id = path.split("/")[2]
    const named = id === undefined ? [...rows.values()].filter((row) => row !== own) : [rows.get(id)]
    for (const row of named) {
      if (!row) return refusal(404, "not_found")
      row.revoked ??= "session_revoked"
    }
    return answer(204, null)
  }

  function route(seen: Seen): Response {
    if (seen.route === "GET /config") {
      return answer(200, { protocol: 1, providers: settings.providers, hosted: settings.hosted })
    }
    if (seen.route === "POST /exchange") return exchange(seen)
    if (seen.route === "POST /refresh") return refresh(seen)
    if (seen.route === "POST /start") return hosted.start(seen)
    if (seen.route === "POST /redeem") return hosted.redeem(seen)
    if (seen.route === "POST /poll") return hosted.poll(seen)
    return routeOfSession(seen)
  }

  const http: typeof fetch = async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input)
    const headers = new Headers(init.headers)
    const path = new URL(url).pathname.replace(/^\/auth/, "")
    const seen: Seen = {
      route: `${init.method ?? "GET"} ${path}`,
      body: typeof init.body === "string" ? JSON.parse(init.body) : {},
      bearer: headers.get("authorization")?.replace("Bearer ", "") ?? null,
      url,
      init,
    }
    requests.push(seen)
    await null
    // A request's body can be sent once, as with the real `fetch`, which rejects a second time.
    if (input instanceof Request && init.body == null) await input.arrayBuffer()
    const fault = faults.shift()
    if (settings.whileDown || fault === "down") throw new TypeError("fetch failed")
    if (fault === "portal") return new Response("<html>Welcome to the hotel</html>", { status: 200 })
    if (fault === "hangs") return new Promise(() => {})
    if (fault instanceof Response) return fault
    const own = typeof fault === "function" ? await fault(seen) : undefined
    if (own) return own
    const reply = route(seen)
    if (fault === "lost") throw new TypeError("fetch failed")
    return reply
  }

  return {
    http,
    requests,
    faults,
    settings,
    rows,
    finishLogin: hosted.finish,
    to: (name: string) => requests.filter((seen) => seen.route === name),
    /** What the provider does: a code for the authorization request. */
    issueCode(authorizationUrl: string): string {
      const { searchParams } = new URL(authorizationUrl)
      const code = `code-${draw()}`
      codes.set(code, {
        challenge: searchParams.get("code_challenge") ?? "",
        nonce: searchParams.get("nonce") ?? "",
        redirectUri: searchParams.get("redirect_uri") ?? "",
      })
      return code
    },
  }
}

/** What {@link fakeBackend} returns. */
export type FakeBackend = ReturnType<typeof fakeBackend>
