import { CHALLENGE, IDENTIFIER } from "@pkce/protocol"
import type { ErrorStatus, Operation } from "./operation.js"

/** Failures of reading a JSON body, and of a route whose failures are counted. */
const BODY = [408, 413, 415] as const satisfies ErrorStatus[]
const LIMITED = [...BODY, 429] as const satisfies ErrorStatus[]
/** C12: a page that may not use the cookie. */
const COOKIE = [403] as const satisfies ErrorStatus[]

/** Every route but those of the hosted login, by method and path. The tests compare it with the router's own list. */
export const operations: Readonly<Record<string, Operation>> = {
  "GET /config": {
    id: "getConfig",
    summary: "All that an app needs to start a login",
    answers: { 200: "ConfigAnswer" },
    errors: [502, 503, 504],
  },
  "POST /exchange": {
    id: "exchange",
    summary: "An authorization code for a session. An identical repeat gets the identical session.",
    body: ["required", "ExchangeRequest"],
    answers: { 200: "Grant" },
    cookies: [200],
    errors: [...COOKIE, ...LIMITED, 409, 502, 503, 504],
  },
  "POST /refresh": {
    id: "refresh",
    summary: "The next step of the session line. An identical repeat gets the identical step.",
    body: ["required", "RefreshRequest"],
    answers: { 200: "Grant" },
    errors: [401, ...COOKIE, ...LIMITED, 503],
  },
  "GET /session": {
    id: "getSession",
    summary: "Who the bearer is",
    bearer: "required",
    answers: { 200: "SessionAnswer" },
    errors: [401, 503],
  },
  "GET /sessions": {
    id: "listSessions",
    summary: "The user's sessions, newest first",
    bearer: "required",
    answers: { 200: "SessionListAnswer" },
    errors: [401, 503],
  },
  "DELETE /sessions": {
    id: "revokeOtherSessions",
    summary: "Ends all sessions of the user but the caller's",
    bearer: "required",
    answers: { 204: null },
    errors: [401, 503],
  },
  "DELETE /sessions/{id}": {
    id: "revokeSession",
    summary: "Ends one session of the user",
    bearer: "required",
    parameter: { description: "session_id", pattern: IDENTIFIER },
    answers: { 204: null },
    errors: [401, 404, 503],
  },
  "POST /logout": {
    id: "logout",
    summary: "Ends the session, proved by its token or by the two credentials of the line",
    bearer: "alternative",
    body: ["optional", "LogoutRequest"],
    answers: { 200: "LogoutAnswer" },
    cookies: [200],
    errors: [401, ...COOKIE, ...LIMITED, 503],
  },
  "GET /logout/{id}": {
    id: "followLogoutTicket",
    summary: "Sends the browser to the provider's logout, once",
    parameter: { description: "The ticket in logout_url", pattern: CHALLENGE },
    answers: { 303: null },
    errors: [404, 503],
  },
  "POST /backchannel-logout": {
    id: "backchannelLogout",
    summary: "The provider says that sessions have ended (OpenID Connect Back-Channel Logout 1.0)",
    body: ["form", "BackchannelLogoutRequest"],
    answers: { 200: null },
    errors: [408, 413],
  },
  "GET /jwks.json": {
    id: "getJwks",
    summary: "The public keys of the session tokens (RFC 7517); none with HS256",
    answers: { 200: "Jwks" },
    errors: [],
  },
  "GET /openapi.json": {
    id: "getOpenApi",
    summary: "This document",
    answers: { 200: "object" },
    errors: [],
  },
}

/** The routes that are there where the hosted login is offered. */
export const hostedOperations: Readonly<Record<string, Operation>> = {
  "POST /start": {
    id: "startLogin",
    summary: "Begins a hosted login; open authorize_url in the system browser",
    body: ["required", "StartRequest"],
    answers: { 200: "StartAnswer" },
    errors: [...LIMITED, 503],
  },
  "GET /login/{id}": {
    id: "openLogin",
    summary: "The browser on its way to the provider, or the page that asks for a confirmation",
    parameter: { description: "login_id", pattern: IDENTIFIER },
    answers: { 200: "page", 303: "page" },
    cookies: [200, 303],
    errors: "pages",
  },
  "POST /login/{id}": {
    id: "confirmLogin",
    summary: "The confirmation, from that page",
    parameter: { description: "login_id", pattern: IDENTIFIER },
    body: ["form", "ConfirmRequest"],
    answers: { 200: "page" },
    errors: "pages",
  },
  "GET /callback": {
    id: "providerCallback",
    summary: "The browser on its way back from the provider",
    query: ["code", "state", "iss", "error", "error_description"],
    answers: { 200: "page", 303: "page" },
    errors: "pages",
  },
  "POST /redeem": {
    id: "redeem",
    summary: "A handoff for a session. An identical repeat gets the identical session.",
    body: ["required", "RedeemRequest"],
    answers: { 200: "Grant" },
    cookies: [200],
    errors: [...COOKIE, ...LIMITED, 409, 410, 503],
  },
  "POST /poll": {
    id: "poll",
    summary:
      "Whether the user is done, and then the session. An identical repeat gets the identical session.",
    body: ["required", "PollRequest"],
    answers: { 200: "Grant", 202: "PendingAnswer" },
    cookies: [200],
    errors: [...COOKIE, ...LIMITED, 409, 410, 503],
  },
}
