import type { Config } from "../config/config.js"
import type { Settings, StorePlace } from "./settings.js"

/** What `check` prints of a configuration without faults. No secret is in it, and no user or password of a database. */
export function describeConfig(settings: Settings, config: Config): string {
  const { session, hosted } = config
  const lines = [
    ...config.providers.map(
      ({ issuer, clientId, redirectUris }) =>
        `provider: ${issuer}, client ${clientId}, ${count(redirectUris.length, "redirect URI")}`,
    ),
    `url: ${config.url ?? "none"}, mounted at ${config.basePath || "/"}`,
    `session tokens: ${session.algorithm}, ${session.tokenLifetime} s${
      session.algorithm === "HS256" ? "" : `, keys at ${config.url}/jwks.json`
    }`,
    `secrets: ${config.secrets.length}`,
    `store: ${placeText(settings.store)}`,
    `hosted login: ${hosted ? hosted.deliveries.join(", ") : "not offered"}`,
    `listens at ${settings.host}, port ${settings.port}, behind ${count(settings.proxies, "proxy", "proxies")}`,
  ]
  return lines.map((line) => `ok    ${line}\n`).join("")
}

function placeText(place: StorePlace): string {
  if (place.kind === "memory") return "memory"
  return place.kind === "sqlite" ? `sqlite, ${place.path}` : `${place.kind}, ${new URL(place.url).host}`
}

const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`
