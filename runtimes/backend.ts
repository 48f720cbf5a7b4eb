import { createPkceServer, type PkceServer, type PkceServerOptions } from "@pkce/server"

// The backend that the runtimes run: the routes of the login, and one route of an API.

export function createBackend(options: Partial<PkceServerOptions>): {
  auth: PkceServer
  fetch(request: Request): Promise<Response>
} {
  const auth = createPkceServer({
    ...options,
    redirectUris: ["http://127.0.0.1/callback"],
    secrets: ["a secret of the runtimes' tests, 0123456789"],
    onWarning: () => undefined,
  })
  return {
    auth,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith("/auth/")) return auth.fetch(request)
      const session = await auth.authenticate(request, { checkRevocation: true })
      if (!session) return new Response(null, { status: 401 })
      const { access_token_works } = await providerCall(auth, session.id)
      return Response.json({ user: session.user, access_token_works })
    },
  }
}

/** The provider's token comes out of its seal, and the provider knows it. */
async function providerCall(auth: PkceServer, sid: string): Promise<{ access_token_works: boolean }> {
  const { sub } = await auth.provider(sid).userInfo()
  return { access_token_works: typeof sub === "string" }
}
