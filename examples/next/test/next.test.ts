import { fileURLToPath } from "node:url"
import { acceptance } from "@pkce-examples/local-provider/acceptance"

acceptance("Next.js", fileURLToPath(new URL("..", import.meta.url)), [
  fileURLToPath(new URL("../../../node_modules/next/dist/bin/next", import.meta.url)),
  "dev",
  "--hostname",
  "127.0.0.1",
  "--port",
  "0",
])
