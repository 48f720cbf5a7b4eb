import { sqliteStore } from "@pkce/server/sqlite"
import Database from "libsql"
import { startWebApp } from "./app.js"

const { PKCE_ISSUER = "", PKCE_CLIENT_ID = "", PKCE_CLIENT_SECRET = "", PKCE_SECRET } = process.env

const app = await startWebApp({
  issuer: PKCE_ISSUER,
  clientId: PKCE_CLIENT_ID,
  clientSecret: PKCE_CLIENT_SECRET,
  secret: PKCE_SECRET,
  store: sqliteStore(new Database(process.env.DATABASE ?? "auth.db")),
  port: Number(process.env.PORT ?? 3000),
})
console.log(`open ${app.url}`)
process.once("SIGTERM", () => app.close())
