import type { HttpClient, HttpFailure, IncomingAnswer } from "../runtime/http.js"
import type { ClientCredentials } from "./client-authentication.js"

const MAX_BYTES = 1024 * 1024

/** One call to an endpoint that wants the client's authentication. `deadline` in milliseconds (D9). Never repeated. */
export const postForm = (
  http: HttpClient,
  url: string,
  { headers, fields }: ClientCredentials,
  form: Record<string, string>,
  deadline: number,
): Promise<IncomingAnswer | HttpFailure> =>
  http.send({
    method: "POST",
    url,
    headers: { ...headers, "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: new URLSearchParams({ ...form, ...fields }).toString(),
    deadline,
    maxBytes: MAX_BYTES,
  })
