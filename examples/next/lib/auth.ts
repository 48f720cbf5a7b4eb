import { createPkceServer } from "@pkce/server"
import { sqliteStore } from "@pkce/server/sqlite"
import Database from "libsql"

// Issuer, client, redirect URIs and the secret come from the environment: PKCE_ISSUER, PKCE_CLIENT_ID, ...
export const auth = createPkceServer({
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
})
