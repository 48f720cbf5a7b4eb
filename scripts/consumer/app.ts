import {
  type BrowserPort,
  createAuthorizationUrl,
  createPkceClient,
  createPkcePair,
  type PkceClient,
  PkceError,
  type Platform,
  parseCallback,
  type StoragePort,
  webCrypto,
} from "@pkce/client"
import { cli } from "@pkce/client/cli"
import { web } from "@pkce/client/web"
import { popup } from "@pkce/client/web-popup"

export const page: PkceClient = createPkceClient({
  server: "https://api.example.com/auth",
  redirectUri: "https://app.example.com/callback",
  platform: web({ popup }),
})

export const command: PkceClient = createPkceClient({
  server: "https://api.example.com/auth",
  redirectUri: "http://127.0.0.1/callback",
  platform: cli({ openBrowser: (url) => console.log(url) }),
})

declare const browser: BrowserPort
declare const storage: StoragePort
export const custom: Platform = { name: "mine", crypto: webCrypto, browser, storage }

export async function login(auth: PkceClient): Promise<string> {
  const restored = await auth.restore()
  const result = restored.session ? null : await auth.login()
  if (result?.status === "cancelled") return "cancelled"
  const response: Response = await auth.fetch("/me")
  const token: string | null = await auth.getSessionToken({ minTtl: 60 })
  await auth.logout({ everywhere: true })
  return `${response.status} ${token?.length}`
}

export async function pieces(): Promise<boolean> {
  const pair: { verifier: string; challenge: string; method: "S256" } = await createPkcePair()
  return (
    typeof createAuthorizationUrl === "function" &&
    typeof parseCallback === "function" &&
    pair.method === "S256"
  )
}

export const describe = (error: unknown): string =>
  error instanceof PkceError ? `${error.phase} ${error.code} ${error.retryable}` : "another error"
