import { empty } from "../answer.js"
import type { Route } from "../route.js"
import { backchannelLogoutRequest, parseRequest } from "../schemas.js"

/** `POST /backchannel-logout`: the provider says that a session of its own has ended. 200 or 400, as the standard has it. */
export const backchannelLogoutRoute = (logout: (token: string) => Promise<void>): Route => ({
  method: "POST",
  path: "/backchannel-logout",
  body: "form",
  async handle({ body }) {
    await logout(parseRequest(backchannelLogoutRequest, body).logout_token)
    return empty(200)
  },
})
