import type { Grant, RefreshRequest } from "@pkce/protocol"
import { PkceError } from "../../errors.js"
import type { Rooms } from "../rooms.js"
import { grantOf } from "./grant.js"
import type { Caller } from "./open-session.js"

/** One step of the session line. The provider is not asked, so its outage ends nobody's session. */
export const createRefresh =
  (rooms: Rooms) =>
  async (input: RefreshRequest, { cookies }: Caller = {}): Promise<Grant> => {
    const step = await rooms.line.refresh({
      refreshToken: input.refresh_token,
      verifier: input.session_verifier,
      challenge: input.session_challenge,
      binderOf: (sid) => cookies?.get(sid),
    })
    if (step.outcome === "granted") return grantOf(rooms, step)
    throw new PkceError(step.code)
  }
