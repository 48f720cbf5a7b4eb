/** One call to a provider. */
export interface OutgoingRequest {
  method: "GET" | "POST"
  /** Absolute; its host was checked against the configuration by the caller. */
  url: string
  headers: Record<string, string>
  body?: string
  /** Milliseconds for the whole call, body included. */
  deadline: number
  /** Bytes of the body after decompression. */
  maxBytes: number
}

export interface IncomingAnswer {
  status: number
  /** By lower-case name. */
  header(name: string): string | undefined
  body: Uint8Array
}

/** Why a call has no answer. `sent` is false only where not a byte of the request can have left. */
export interface HttpFailure {
  failure: "connect" | "blocked_address" | "reset" | "timeout" | "too_large"
  sent: boolean
}

export interface HttpClientOptions {
  /** Private, link-local and unique-local addresses may be connected to (an intranet provider). */
  allowPrivateAddresses: boolean
  /** 127.0.0.0/8 and ::1 may be connected to, over plain http too (development). */
  allowLoopback: boolean
}

export interface HttpClient {
  /** Never throws and never follows a redirect: a 3xx is an answer like any other. */
  send(request: OutgoingRequest): Promise<IncomingAnswer | HttpFailure>
  /**
   * What a request began ends with it, answered or not (Workers): then nothing is begun behind an answer, and no request
   * waits for what another one began, which may never settle.
   */
  readonly endsWithRequest?: boolean
  /** Opens a connection to the origin before it is needed; failures are ignored. */
  warm(origin: string): void
  close(): Promise<void>
}

/** What `#http` exports: undici's own pool on Node (loaded at the first call), the platform's `fetch` elsewhere. */
export interface RuntimeHttp {
  createHttpClient(options: HttpClientOptions): HttpClient
}
