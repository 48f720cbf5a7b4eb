// The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of the first 8:
// computed, which takes less room than a table.
const K: number[] = []
const H: number[] = []
const fraction = (root: number) => (root * 2 ** 32) | 0
for (let candidate = 2; K.length < 64; candidate++) {
  let factor = 2
  while (candidate % factor > 0) factor++
  if (factor < candidate) continue
  if (H.length < 8) H.push(fraction(candidate ** (1 / 2)))
  K.push(fraction(candidate ** (1 / 3)))
}

const rotate = (word: number, by: number) => (word >>> by) | (word << (32 - by))
const at = (words: ArrayLike<number>, i: number) => words[i] as number

/**
 * SHA-256 (FIPS 180-4) of less than 512 MB, for engines without WebCrypto. It hashes what is random or public (a verifier, its
 * challenge): nothing in it depends on how long it takes.
 */
export function sha256(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((((data.length + 8) >> 6) + 1) * 64)
  padded.set(data)
  padded[data.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 4, data.length * 8)

  let hash = H
  const w = new Int32Array(64)
  for (let block = 0; block < padded.length; block += 64) {
    let [a, b, c, d, e, f, g, h] = hash as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i++) {
      if (i < 16) w[i] = view.getInt32(block + i * 4)
      else {
        const x = at(w, i - 15)
        const y = at(w, i - 2)
        const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
        const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
        w[i] = at(w, i - 16) + s0 + at(w, i - 7) + s1
      }
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      const t1 = h + s1 + ((e & f) ^ (~e & g)) + at(K, i) + at(w, i)
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c))
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    const words = [a, b, c, d, e, f, g, h]
    hash = hash.map((word, i) => (word + at(words, i)) | 0)
  }
  const digest = new DataView(new ArrayBuffer(32))
  hash.forEach((word, i) => void digest.setInt32(i * 4, word))
  return new Uint8Array(digest.buffer)
}
