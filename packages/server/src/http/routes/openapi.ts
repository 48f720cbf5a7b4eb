import type { Config } from "../../config/config.js"
import { json } from "../answer.js"
import type { HttpAnswer } from "../message.js"
import { openApiDocument } from "../openapi/document.js"
import type { Route } from "../route.js"

/** `GET /openapi.json`: the routes of this mount, as OpenAPI 3.1. Made when it is first asked for. */
export function openApiRoute(config: Pick<Config, "url" | "hosted">): Route {
  let answer: HttpAnswer | undefined
  return {
    method: "GET",
    path: "/openapi.json",
    async handle() {
      answer ??= json(200, openApiDocument(config))
      return answer
    },
  }
}
