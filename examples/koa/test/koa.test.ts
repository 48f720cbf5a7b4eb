import { fileURLToPath } from "node:url"
import { acceptance } from "@pkce-examples/local-provider/acceptance"

acceptance("Koa", fileURLToPath(new URL("..", import.meta.url)))
