import { fileURLToPath } from "node:url"
import { acceptance } from "@pkce-examples/local-provider/acceptance"

acceptance("Express", fileURLToPath(new URL("..", import.meta.url)))
