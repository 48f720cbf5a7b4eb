import type { Grant, RefreshRequest } from "@pkce/protocol"
import { PkceError } from "../../errors.js"
import type { Rooms } from "../rooms.js"
import { grantOf } from "./grant.js"

/** One step of the session line. The provider is not asked, so its outage ends nobody's session. */
export const createRefresh =
  (rooms: Rooms) =>
  async (input: RefreshRequest): Promise<Grant> => {
    const step = await rooms.line.refresh({
      refreshToken: input.refresh_token,
      verifier: input.session_verifier,
      challenge: input.session_challenge,
    })
    if (step.outcome === "granted") return grantOf(rooms, step)
    throw new PkceError(step.code)
  }
