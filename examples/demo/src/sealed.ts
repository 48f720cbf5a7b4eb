import { readFileSync } from "node:fs"

/** Whether none of these texts stands in the database as it is, also not in its journal. */
export function createSealedCheck(file: string): (secrets: string[]) => boolean {
  return (secrets) => {
    const bytes = Buffer.concat([file, `${file}-wal`].map(read))
    return secrets.length > 0 && secrets.every((secret) => !bytes.includes(secret))
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}
