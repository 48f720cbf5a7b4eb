import { argv } from "node:process"
import { story } from "./app.js"
import { createBackend } from "./backend.js"
import { serve } from "./serve.js"

// Both halves of a login in one runtime. Arguments: a folder for the session's file, the provider's options as JSON.

const [, , directory = "", options = "{}"] = argv
const backend = createBackend(JSON.parse(options))
const server = await serve(backend)
const told = await story(`http://127.0.0.1:${server.port}`, directory)
await server.close()
await backend.auth.close()
console.log(JSON.stringify(told))
