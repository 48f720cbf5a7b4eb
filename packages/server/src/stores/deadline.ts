/** Milliseconds that a store on the network may take. */
const LIMIT = 2000

/**
 * GR6, G9: a server that is gone must be a 503 within two seconds, and drivers queue commands for as long as they are
 * reconnecting. What was given up may still be done later; every transition can be repeated, so that does no harm.
 */
export async function withinDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The store did not answer within ${LIMIT} ms.`)), LIMIT)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
