/** A secret in base64url, in every form in which it could lie in a store or a log. */
export function spellingsOf(secret: string): (string | Buffer)[] {
  const raw = Buffer.from(secret, "base64url")
  return [
    secret,
    raw,
    raw.toString("hex"),
    raw.toString("base64"),
    Buffer.from(secret).toString("base64url"),
    Buffer.from(secret).toString("hex"),
    encodeURIComponent(secret),
  ]
}
