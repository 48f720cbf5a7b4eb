import { fromNodeRequest, type NodeRequest, type NodeResponse, writeAnswer } from "../http/node-message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"
import { guard, type RequireSessionOptions } from "./refusal.js"

export type { RequireSessionOptions } from "./refusal.js"

declare global {
  namespace Express {
    interface Request {
      /**
       * The session, set by `requireSession`. In a route without that guard it is not there, and the first use of a
       * member throws: the route fails closed.
       */
      auth: Session
    }
  }
}

/** The part of Express's request that is used here. */
export interface ExpressRequest extends NodeRequest {
  /** The client's address, as "trust proxy" has it. */
  ip?: string | undefined
}

type Next = (error?: unknown) => void

/**
 * All routes as an Express handler. Mount it before `express.json()`, so that its own limits hold.
 *
 * @example
 * ```ts
 * app.use("/auth", expressAuth(auth))
 * ```
 */
export const expressAuth =
  (auth: PkceServer) =>
  (request: ExpressRequest, response: NodeResponse): void => {
    // Express has cut the mount path from `url` already.
    void auth
      .handle(fromNodeRequest(request, { target: request.url ?? "/", address: request.ip }))
      .then((answer) => writeAnswer(response, answer))
  }

/**
 * Lets a request pass only with a session, which `req.auth` then holds; otherwise answers 401 and the route never runs.
 *
 * @example
 * ```ts
 * app.get("/me", requireSession(auth), (req, res) => res.json(req.auth.user))
 * app.delete("/account", requireSession(auth, { checkRevocation: true }), removeAccount)
 * ```
 */
export const requireSession =
  (auth: PkceServer, options: RequireSessionOptions = {}) =>
  (request: ExpressRequest & { auth?: Session }, response: NodeResponse, next: Next): void => {
    const { authorization } = request.headers
    const header = Array.isArray(authorization) ? authorization.join(", ") : authorization
    void guard(auth, header, options).then(({ session, refusal }) => {
      if (!session) return writeAnswer(response, refusal)
      request.auth = session
      next()
    })
  }
