import { nextAuth } from "@pkce/server/next"
import { auth } from "../../../lib/auth"

export const { GET, POST, DELETE, OPTIONS } = nextAuth(auth)
