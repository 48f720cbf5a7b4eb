/** RFC 7636 section 4.2: BASE64URL(SHA256(ASCII(text))). In a browser and in Node alike. */
export async function s256(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
  return btoa(String.fromCharCode(...hash))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "")
}
