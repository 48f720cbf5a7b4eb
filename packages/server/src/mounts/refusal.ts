import { PkceError } from "../errors.js"
import { asPkceError, errorAnswer, NO_CREDENTIAL } from "../http/errors.js"
import type { HttpAnswer } from "../http/message.js"
import type { PkceServer } from "../server-types.js"
import type { Session } from "../session/types.js"

/** Options of every `requireSession`. */
export interface RequireSessionOptions {
  /** Asks the store at each request whether the session has ended, by one read. Default: the token's few minutes decide. */
  checkRevocation?: boolean
}

/** What a guard decides: the session, or the answer that takes the handler's place, in the one error shape. */
export async function guard(
  auth: Pick<PkceServer, "authenticate">,
  authorization: string | undefined,
  options: RequireSessionOptions,
): Promise<{ session: Session; refusal?: never } | { session?: never; refusal: HttpAnswer }> {
  try {
    const session = await auth.authenticate({ headers: { authorization } }, options)
    if (session) return { session }
    const details = authorization === undefined ? { reason: NO_CREDENTIAL } : {}
    return { refusal: errorAnswer(new PkceError("invalid_token", details)) }
  } catch (thrown) {
    // GR6: a store that cannot be asked is 503; nobody is let in and nobody is logged out.
    return { refusal: errorAnswer(asPkceError(thrown)) }
  }
}
