import { createBackend } from "./backend.js"

// The bindings come with a request, so the first one makes the server.

let backend: ReturnType<typeof createBackend> | undefined

export default {
  fetch(request: Request, env: { OPTIONS: string }): Promise<Response> {
    backend ??= createBackend(JSON.parse(env.OPTIONS))
    return backend.fetch(request)
  },
}
