import { empty } from "../answer.js"
import type { Route } from "../route.js"

/** `GET /logout/{ticket}`: the browser on its way to the provider's logout. The ticket is used up by it. */
export const logoutTicketRoute = (redeemTicket: (id: string) => Promise<string>): Route => ({
  method: "GET",
  path: "/logout/{id}",
  navigated: true,
  // 303, so that nothing is ever sent twice (J8); the ticket stays out of the provider's Referer (B10).
  handle: async ({ id }) =>
    empty(303, { Location: await redeemTicket(id), "Referrer-Policy": "no-referrer" }),
})
