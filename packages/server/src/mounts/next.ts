import { addressBy } from "../http/address.js"
import { fromWebRequest, toWebResponse } from "../http/web-message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"
import { guard, type RequireSessionOptions } from "./refusal.js"

export type { RequireSessionOptions } from "./refusal.js"

type Params = { [name: string]: string | string[] | undefined }
/** The second argument of a route handler; the parameters are a promise since Next 15. */
export interface NextContext {
  params: Promise<Params> | Params
}
type NextHandler = (request: Request, context: NextContext) => Promise<Response>

/**
 * All routes as the handlers of a catch-all route.
 *
 * @param options `clientAddress` reads the client's address for the rate limit, from the header your platform sets.
 * @example
 * ```ts
 * // app/auth/[...pkce]/route.ts
 * export const { GET, POST, DELETE, OPTIONS } = nextAuth(auth)
 * ```
 */
export function nextAuth(
  auth: PkceServer,
  { clientAddress = () => undefined }: { clientAddress?: (request: Request) => string | undefined } = {},
): { GET: NextHandler; POST: NextHandler; DELETE: NextHandler; OPTIONS: NextHandler } {
  const handle: NextHandler = async (request, context) => {
    const segments = Object.values(await context.params).find(Array.isArray) ?? []
    const path = `/${segments.map(encodeURIComponent).join("/")}`
    return toWebResponse(await auth.handle(fromWebRequest(request, path, addressBy(clientAddress, request))))
  }
  return { GET: handle, POST: handle, DELETE: handle, OPTIONS: handle }
}

/**
 * A route handler that runs only with a session, which is its third argument; otherwise the answer is 401.
 *
 * @example
 * ```ts
 * // app/me/route.ts
 * export const GET = requireSession(auth, (request, context, session) => Response.json(session.user))
 * ```
 */
export const requireSession =
  <R extends Request, C>(
    auth: PkceServer,
    handler: (request: R, context: C, session: Session) => Response | Promise<Response>,
    options: RequireSessionOptions = {},
  ) =>
  async (request: R, context: C): Promise<Response> => {
    const { session, refusal } = await guard(auth, request.headers.get("authorization") ?? undefined, options)
    return session ? handler(request, context, session) : toWebResponse(refusal)
  }
