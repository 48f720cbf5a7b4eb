import type { NodeRequest } from "../http/node-message.js"

/**
 * The client's address behind so many proxies: each has added, at the right of `X-Forwarded-For`, the address that it was
 * called from. C13: what stands further left is the client's own word, and counts for nothing.
 */
export function addressBehind(proxies: number): (request: NodeRequest) => string | undefined {
  if (proxies === 0) return () => undefined
  return ({ headers }) => {
    const value = headers["x-forwarded-for"]
    const added = (Array.isArray(value) ? value.join(",") : (value ?? "")).split(",")
    const address = added[Math.max(0, added.length - proxies)]?.trim()
    return address ? withoutPort(address) : undefined
  }
}

/** Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
const withoutPort = (address: string) =>
  address.replace(/^\[([^\]]*)\](?::\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1")
