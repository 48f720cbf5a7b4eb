import { addressBy } from "../http/address.js"
import { fromWebRequest, toWebResponse } from "../http/web-message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"
import { guard, type RequireSessionOptions } from "./refusal.js"

export type { RequireSessionOptions } from "./refusal.js"

/** For `new Hono<{ Variables: SessionVariables }>()`: the type of `c.get("auth")` behind `requireSession`. */
export interface SessionVariables {
  auth: Session
}

/** The part of Hono's context that is used here. */
export interface HonoContext {
  req: { raw: Request; path: string; routePath?: string; arrayBuffer(): Promise<ArrayBuffer> }
  env?: unknown
  set(key: "auth", value: Session): void
}

/**
 * All routes as a Hono handler, on a path that ends in `/*`.
 *
 * @param options `clientAddress` reads the client's address for the rate limit; by default what `@hono/node-server` gives.
 * @example
 * ```ts
 * app.all("/auth/*", honoAuth(auth))
 * ```
 */
export const honoAuth =
  <C extends Omit<HonoContext, "set">>(
    auth: PkceServer,
    { clientAddress = nodeServerAddress }: { clientAddress?: (c: C) => string | undefined } = {},
  ) =>
  async (c: C): Promise<Response> =>
    toWebResponse(
      await auth.handle(
        fromWebRequest(c.req.raw, pathBelow(c.req), addressBy(clientAddress, c), () => c.req.arrayBuffer()),
      ),
    )

/**
 * Lets a request pass only with a session, which `c.get("auth")` then gives; otherwise answers 401 and the route never runs.
 *
 * @example
 * ```ts
 * app.get("/me", requireSession(auth), (c) => c.json(c.get("auth").user))
 * ```
 */
export const requireSession =
  (auth: PkceServer, options: RequireSessionOptions = {}) =>
  async (c: HonoContext, next: () => Promise<void>): Promise<Response | undefined> => {
    const { session, refusal } = await guard(
      auth,
      c.req.raw.headers.get("authorization") ?? undefined,
      options,
    )
    if (!session) return toWebResponse(refusal)
    c.set("auth", session)
    await next()
    return undefined
  }

/** What of the path the `*` of the route stands for; the route may hold parameters, so segments are counted. */
function pathBelow({ path, routePath = "/*" }: HonoContext["req"]): string {
  const mount = routePath.split("/").length - 1
  return `/${path.split("/").slice(mount).join("/")}`
}

function nodeServerAddress({ env }: { env?: unknown }): string | undefined {
  const incoming = (env as { incoming?: { socket?: { remoteAddress?: unknown } } } | undefined)?.incoming
  const address = incoming?.socket?.remoteAddress
  return typeof address === "string" ? address : undefined
}
