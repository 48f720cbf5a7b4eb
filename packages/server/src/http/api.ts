import { callHook } from "../emit.js"
import type { PkceServer } from "../server-types.js"
import { noTelemetry } from "../telemetry/telemetry.js"
import type { BackgroundRefresh } from "../vault/background-refresh.js"
import { createReseal } from "../vault/reseal.js"
import { addressBy, addressDoubt } from "./address.js"
import { createCors } from "./cors.js"
import { createHosted, offered } from "./hosted.js"
import { createRateLimit } from "./rate-limit.js"
import type { Rooms } from "./rooms.js"
import { createRouter } from "./router.js"
import { backchannelLogoutRoute } from "./routes/backchannel-logout.js"
import { configRoute, createDescribe } from "./routes/config.js"
import { exchangeRoute } from "./routes/exchange.js"
import { jwksRoute } from "./routes/jwks.js"
import { logoutRoute } from "./routes/logout.js"
import { logoutTicketRoute } from "./routes/logout-ticket.js"
import { openApiRoute } from "./routes/openapi.js"
import { refreshRoute } from "./routes/refresh.js"
import { sessionRoute } from "./routes/session.js"
import { sessionsRoutes } from "./routes/sessions.js"
import {
  exchangeRequest,
  logoutRequest,
  parseRequest,
  pollRequest,
  redeemRequest,
  refreshRequest,
  startRequest,
} from "./schemas.js"
import { createAuthenticate } from "./use-cases/authenticate.js"
import { createBackchannelLogout } from "./use-cases/backchannel-logout.js"
import { createExchange } from "./use-cases/exchange.js"
import { createLogout } from "./use-cases/logout.js"
import { createRefresh } from "./use-cases/refresh.js"
import { createOwnSessions, createSessionAdministration } from "./use-cases/sessions.js"
import { fromWebRequest, toWebResponse } from "./web-message.js"

const READ_BEFORE = {
  parsed: "a body parser runs before the mount, so a name that is twice in a body is not seen",
  lost: "the body of a request is read before the mount, which then has none: answered 400. Give the mount the request unread, or a clone",
}

/** Joins use cases and routes: the same functions stand behind the wire and behind the server object. */
export function createApi(
  rooms: Rooms,
  background: BackgroundRefresh,
  close: () => Promise<void>,
  telemetry = noTelemetry,
): PkceServer {
  const { config, emit } = rooms
  const describe = createDescribe(rooms)
  const exchange = telemetry.exchange(createExchange(rooms), rooms.providers)
  const refresh = telemetry.refresh(createRefresh(rooms))
  const sessions = createSessionAdministration(rooms)
  const own = createOwnSessions(rooms, sessions)
  const { logout, redeemTicket } = createLogout(rooms)
  const backchannelLogout = createBackchannelLogout(rooms)
  const hosted = createHosted(rooms, telemetry)

  const told = new Set<string>()
  function warnOnce(text: string): void {
    if (told.has(text)) return
    told.add(text)
    callHook(config.onWarning, text)
  }

  const handle = createRouter({
    routes: [
      configRoute(describe),
      exchangeRoute(rooms, exchange),
      refreshRoute(rooms, refresh),
      sessionRoute(rooms, own.describe),
      ...sessionsRoutes(rooms, own),
      logoutRoute(rooms, logout),
      logoutTicketRoute(redeemTicket),
      backchannelLogoutRoute(backchannelLogout),
      jwksRoute(rooms),
      ...(hosted?.routes ?? []),
      openApiRoute(config),
    ],
    cors: createCors(config.allowedOrigins),
    limit: createRateLimit(config.rateLimit),
    emit,
    onReadBefore: (what) => warnOnce(READ_BEFORE[what]),
    onLimited: (request) => {
      const doubt = config.rateLimit && addressDoubt(request)
      if (doubt) warnOnce(doubt)
    },
  })

  return {
    handle,
    async fetch(request) {
      const path = withoutBase(new URL(request.url).pathname, config.basePath)
      return toWebResponse(
        await handle(fromWebRequest(request, path, addressBy(config.clientAddress, request))),
      )
    },
    authenticate: createAuthenticate(rooms),
    config: describe,
    exchange: async (input, { clientAddress } = {}) =>
      exchange(parseRequest(exchangeRequest, input), { clientAddress }),
    refresh: async (input) => refresh(parseRequest(refreshRequest, input), {}),
    session: own.describe,
    logout: async ({ session, ...input }) =>
      logout({ ...parseRequest(logoutRequest, input), ...(session && { session }) }),
    jwks: () => rooms.tokens.jwks(),
    start: async (input, caller) => offered(hosted).start(parseRequest(startRequest, input), caller),
    redeem: async (input) => offered(hosted).redeem(parseRequest(redeemRequest, input)),
    poll: async (input) => offered(hosted).poll(parseRequest(pollRequest, input)),
    provider(session) {
      const sid = typeof session === "string" ? session : session.id
      return {
        accessToken: (options) => rooms.grants.accessToken(sid, options),
        userInfo: () => rooms.grants.userInfo(sid),
        claims: () => rooms.grants.claims(sid),
      }
    },
    refreshDueGrants: background.refreshDue,
    startBackgroundRefresh: background.start,
    resealSessions: createReseal(rooms),
    backchannelLogout,
    sessions,
    close,
  }
}

/** The path below the mount; a path that is not below it stays as it is, for a framework that has cut it already. */
const withoutBase = (path: string, base: string): string =>
  base !== "" && path.startsWith(`${base}/`) ? path.slice(base.length) : path
