import type { HttpAnswer } from "../http/message.js"
import { fromNodeRequest, type NodeRequest, nodeHeaders } from "../http/node-message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"
import { guard, type RequireSessionOptions } from "./refusal.js"

export type { RequireSessionOptions } from "./refusal.js"

/** The parts of Fastify that are used here. */
export interface FastifyRequestLike {
  raw: NodeRequest
  url: string
  ip: string
  headers: { authorization?: string | undefined }
}
export interface FastifyReplyLike {
  code(status: number): unknown
  headers(values: Record<string, string | number>): unknown
  send(payload?: string): unknown
}
export interface FastifyInstanceLike {
  readonly prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(
    type: string,
    parser: (request: unknown, payload: unknown, done: (error: Error | null) => void) => void,
  ): unknown
  all(path: string, handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => unknown): unknown
}

const sessions = new WeakMap<object, Session>()

/**
 * All routes as a Fastify plugin. Its body parsing stays inside it, with its own limits.
 *
 * @example
 * ```ts
 * await app.register(fastifyAuth(auth), { prefix: "/auth" })
 * ```
 */
export const fastifyAuth = (auth: PkceServer) => async (instance: FastifyInstanceLike) => {
  instance.removeAllContentTypeParsers()
  // The body stays unread: the stream goes to the handler as it came.
  instance.addContentTypeParser("*", (_request, _payload, done) => done(null))
  // The prefix may hold parameters, so segments are counted; with a slash at its end it is the same one.
  const mount = instance.prefix.replace(/\/$/, "").split("/").length
  instance.all("/*", async (request, reply) => {
    const target = `/${request.url.split("/").slice(mount).join("/")}`
    const { raw, ip } = request
    return send(reply, await auth.handle(fromNodeRequest(raw, { target, address: ip })), raw.httpVersionMajor)
  })
}

/**
 * A `preHandler` that lets a request pass only with a session; otherwise it answers 401 and the route never runs.
 *
 * @example
 * ```ts
 * app.get("/me", { preHandler: requireSession(auth) }, async (request) => sessionOf(request).user)
 * ```
 */
export const requireSession =
  (auth: PkceServer, options: RequireSessionOptions = {}) =>
  async (request: FastifyRequestLike, reply: FastifyReplyLike): Promise<unknown> => {
    const { session, refusal } = await guard(auth, request.headers.authorization, options)
    if (!session) return send(reply, refusal)
    sessions.set(request, session)
    return undefined
  }

/** The session of a request that `requireSession` let pass. Throws in a route without that guard. */
export function sessionOf(request: object): Session {
  const session = sessions.get(request)
  if (!session) throw new Error("sessionOf: this route has no requireSession")
  return session
}

function send(reply: FastifyReplyLike, answer: HttpAnswer, httpVersionMajor?: number): FastifyReplyLike {
  reply.code(answer.status)
  reply.headers(nodeHeaders(answer, httpVersionMajor))
  reply.send(answer.body)
  return reply
}
