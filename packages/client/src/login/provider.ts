import type { ConfigAnswer, ConfigProvider } from "@pkce/protocol"
import { PkceError } from "../errors.js"
import { type Repeating, repeat } from "../session/repeat.js"
import { errorOf } from "../session/wire.js"

/** The particulars of the providers: given by the app, or asked of the backend once. */
export type ProviderList = () => Promise<ConfigProvider[]>

export function createProviderList(deps: Repeating, given?: ConfigProvider[]): ProviderList {
  let list = given && Promise.resolve(given)

  async function ask(): Promise<ConfigProvider[]> {
    const answer = await repeat(deps, { method: "GET", path: "/config" }, (answer) => !answer.retryable)
    const { providers } = answer.body as Partial<ConfigAnswer>
    if (!providers) throw errorOf(answer, "start")
    return providers
  }

  return () => {
    list ??= ask().catch((error) => {
      list = undefined
      throw error
    })
    return list
  }
}

/** The provider of that id; without one there must be exactly one. */
export function pickProvider(providers: ConfigProvider[], id: string | undefined): ConfigProvider {
  const found = providers.find((p) => (id === undefined ? providers.length === 1 : p.id === id))
  if (!found) throw new PkceError("invalid_request", "start")
  return found
}
