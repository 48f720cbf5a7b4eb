import { PkceError } from "../../errors.js"
import { empty } from "../answer.js"
import type { Route } from "../route.js"

/** `POST /backchannel-logout`: the provider says that a session of its own has ended. 200 or 400, as the standard has it. */
export const backchannelLogoutRoute = (logout: (token: string) => Promise<void>): Route => ({
  method: "POST",
  path: "/backchannel-logout",
  body: "form",
  async handle({ body }) {
    const { logout_token: token } = body
    if (typeof token !== "string" || token === "")
      throw new PkceError("invalid_request", { description: "Missing or malformed: logout_token." })
    await logout(token)
    return empty(200)
  },
})
