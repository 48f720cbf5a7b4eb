/** A request as plain data. The mounts make it; building a Web `Request` on Node would cost more than the work itself. */
export interface HttpRequest {
  method: string
  /** Relative to the mount, beginning with "/", without the query. Not decoded. */
  path: string
  /** Without "?"; empty where there is none. */
  query: string
  /** By lower-case name; a repeated header is joined by ", ". */
  header(name: string): string | undefined
  /** Reads at most `maxBytes` within `deadline` milliseconds, and stops reading at the limit. */
  body(maxBytes: number, deadline: number): Promise<BodyRead>
  /** The client's IP address as the framework knows it; for the rate limit and the device list. */
  address: string | undefined
}

export type BodyRead =
  | { kind: "bytes"; bytes: Uint8Array }
  /** The framework parsed it before us. */
  | { kind: "parsed"; value: unknown }
  /** Somebody read it before us, and kept nothing. */
  | { kind: "lost" }
  | { kind: "too_large" }
  | { kind: "timeout" }
  | { kind: "aborted" }

export interface HttpAnswer {
  status: number
  headers: Record<string, string>
  /** Empty where there is none. */
  body: string
}

export type Handler = (request: HttpRequest) => Promise<HttpAnswer>
