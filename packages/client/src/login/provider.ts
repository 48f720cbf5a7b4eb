import type { ConfigAnswer, ConfigProvider } from "@pkce/protocol"
import { type Repeating, repeat } from "../session/repeat.js"
import { errorOf } from "../session/wire.js"

/** The particulars of the providers: given by the app, or asked of the backend once. */
export type ProviderList = () => Promise<ConfigProvider[]>

export function createProviderList(deps: Repeating, given?: ConfigProvider[]): ProviderList {
  let list = given
  return async () => {
    if (!list) {
      const answer = await repeat(deps, { method: "GET", path: "/config" }, (answer) => !answer.retryable)
      list = (answer.body as Partial<ConfigAnswer>).providers
      if (!list) throw errorOf(answer, "start")
    }
    return list
  }
}
