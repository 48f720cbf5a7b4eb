import type { BodyRead, HttpAnswer, HttpRequest } from "./message.js"

/**
 * A Web `Request` as plain data; `path` is relative to the mount. `kept` gives the body where the framework has kept what
 * somebody read before us.
 */
export function fromWebRequest(
  request: Request,
  path: string,
  address: string | undefined,
  kept?: () => Promise<ArrayBuffer>,
): HttpRequest {
  const { search } = new URL(request.url)
  return {
    method: request.method,
    path,
    query: search.slice(1),
    header: (name) => request.headers.get(name) ?? undefined,
    body: (maxBytes, deadline) =>
      request.bodyUsed && kept ? readKept(kept, maxBytes) : readBody(request, maxBytes, deadline),
    address,
  }
}

async function readKept(kept: () => Promise<ArrayBuffer>, maxBytes: number): Promise<BodyRead> {
  try {
    const bytes = new Uint8Array(await kept())
    return bytes.length > maxBytes ? { kind: "too_large" } : { kind: "bytes", bytes }
  } catch {
    return { kind: "lost" }
  }
}

/** C9, C10: stops at the limit of size or time, and cancels the rest. */
async function readBody(request: Request, maxBytes: number, deadline: number): Promise<BodyRead> {
  if (request.bodyUsed) return { kind: "lost" }
  if (!request.body) return { kind: "bytes", bytes: new Uint8Array() }
  const reader = request.body.getReader()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<"timeout">((resolve) => {
    timer = setTimeout(() => resolve("timeout"), deadline)
  })
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const read = await Promise.race([reader.read(), late])
      if (read === "timeout") return { kind: "timeout" }
      if (read.done) break
      length += read.value.length
      if (length > maxBytes) return { kind: "too_large" }
      chunks.push(read.value)
    }
  } catch {
    return { kind: "aborted" }
  } finally {
    clearTimeout(timer)
    reader.cancel().catch(() => undefined)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return { kind: "bytes", bytes }
}

/** The answer as a Web `Response`; a 204 or a redirect has no body at all. */
export const toWebResponse = ({ status, headers, body }: HttpAnswer): Response =>
  new Response(body === "" ? null : body, { status, headers })
