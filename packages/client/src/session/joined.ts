/** One run at a time: who asks while it is under way gets the same answer. */
export function joined<T>(work: () => Promise<T>): () => Promise<T> {
  let run: Promise<T> | undefined
  return () => {
    run ??= work().finally(() => {
      run = undefined
    })
    return run
  }
}
