import { addressBy } from "../http/address.js"
import { fromNodeRequest, type NodeRequest, type NodeResponse, writeAnswer } from "../http/node-message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"
import { guard, type RequireSessionOptions } from "./refusal.js"

export type { NodeRequest, NodeResponse } from "../http/node-message.js"
export type { RequireSessionOptions } from "./refusal.js"

/**
 * All routes as a `node:http` request listener.
 *
 * @param options `path` is where it is mounted, `/auth` by default; anything outside is answered 404. `clientAddress` reads
 *   the client's address for the rate limit where a proxy stands before the process; default: the connection's.
 * @example
 * ```ts
 * const handle = nodeAuth(auth)
 * createServer((req, res) => (req.url?.startsWith("/auth/") ? handle(req, res) : app(req, res))).listen(3000)
 * ```
 */
export function nodeAuth(
  auth: PkceServer,
  {
    path = "/auth",
    clientAddress = () => undefined,
  }: { path?: string; clientAddress?: (request: NodeRequest) => string | undefined } = {},
): (request: NodeRequest, response: NodeResponse) => void {
  const base = path.replace(/\/$/, "")
  return (request, response) => {
    const url = request.url ?? "/"
    // A path outside the mount has no first slash of its own, so it matches no route.
    const target = url.startsWith(`${base}/`) ? url.slice(base.length) : ""
    const mount = { target, address: addressBy(clientAddress, request) }
    void auth.handle(fromNodeRequest(request, mount)).then((answer) => writeAnswer(response, answer))
  }
}

/**
 * The session of a request, or `null` after the refusal has been written: then return at once.
 *
 * @example
 * ```ts
 * const session = await requireSession(auth, req, res)
 * if (!session) return
 * res.end(JSON.stringify(session.user))
 * ```
 */
export async function requireSession(
  auth: PkceServer,
  request: NodeRequest,
  response: NodeResponse,
  options: RequireSessionOptions = {},
): Promise<Session | null> {
  const { session, refusal } = await guard(auth, authorizationOf(request), options)
  if (session) return session
  writeAnswer(response, refusal)
  return null
}

const authorizationOf = ({ headers: { authorization } }: NodeRequest) =>
  Array.isArray(authorization) ? authorization.join(", ") : authorization
