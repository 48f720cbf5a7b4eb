import { randomBytes } from "node:crypto"
import type { LocalProvider } from "./provider.js"

/** What a backend reads from its environment: what `.env` holds for a real provider. */
export const settingsOf = (provider: LocalProvider): Record<string, string> => ({
  PKCE_ISSUER: provider.issuer,
  PKCE_CLIENT_ID: provider.clientId,
  PKCE_CLIENT_SECRET: provider.clientSecret,
  PKCE_REDIRECT_URIS: "http://127.0.0.1/callback",
  PKCE_SECRET: randomBytes(32).toString("base64"),
  PKCE_ALLOW_LOOPBACK_HTTP: "true",
})
