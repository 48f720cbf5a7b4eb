import { requireSession } from "@pkce/server/next"
import { auth } from "../../lib/auth"

export const GET = requireSession(auth, (_request, _context, session) =>
  Response.json({ user: session.user }),
)
