import type { ConfigAnswer, ConfigProvider } from "@pkce/protocol"
import { type Repeating, repeat } from "../session/repeat.js"
import { errorOf } from "../session/wire.js"

/**
 * The particulars of the providers: given by the app, or asked of the backend, at each login anew, since it leaves out a provider
 * that it cannot reach.
 */
export type ProviderList = () => Promise<ConfigProvider[]>

export const createProviderList =
  (deps: Repeating, given?: ConfigProvider[]): ProviderList =>
  async () => {
    if (given) return given
    const answer = await repeat(deps, { method: "GET", path: "/config" }, (answer) => !answer.retryable)
    const { providers } = answer.body as Partial<ConfigAnswer>
    if (!providers) throw errorOf(answer, "start")
    return providers
  }
