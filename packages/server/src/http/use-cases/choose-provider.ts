import { PkceError } from "../../errors.js"
import type { Provider } from "../../provider/types.js"
import type { Rooms } from "../rooms.js"

/** C6: by its id in a fixed list; without an id only where there is nothing to choose. */
export function chooseProvider(providers: Rooms["providers"], id: string | undefined): Provider {
  const provider =
    id !== undefined ? providers.get(id) : providers.list.length === 1 ? providers.list[0] : undefined
  if (provider) return provider
  throw new PkceError("invalid_request", { description: "Missing or malformed: provider." })
}
