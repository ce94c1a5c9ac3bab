/** What `decode` gives, `null` for the one error that it may throw. */
export function outcomeOf<T>(
  decode: () => T,
  errorClass: abstract new (...args: never[]) => Error,
): T | null {
  try {
    return decode()
  } catch (error) {
    if (error instanceof errorClass) return null
    throw error
  }
}

/** Bytes of memory that `run` asked for in buffers, and its result. */
export function allocatedIn<T>(run: () => T): { value: T; bytes: number } {
  let bytes = 0
  const names = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const
  const originals = names.map((name) => Buffer[name])
  for (const [at, name] of names.entries()) {
    Buffer[name] = ((size: number, ...more: []) => {
      bytes += size
      return originals[at]!.call(Buffer, size, ...more)
    }) as typeof Buffer.alloc
  }
  try {
    return { value: run(), bytes }
  } finally {
    for (const [at, name] of names.entries()) Buffer[name] = originals[at]! as typeof Buffer.alloc
  }
}
