/**
 * The mark (rule B2): epoch and applied index in one string that clients keep and hand back but
 * never read. It states how far the state had been applied that a client was shown.
 */
export interface MarkPosition {
  readonly epoch: string
  readonly index: number
}

export function formatMark(epoch: string, index: number): string {
  return `${epoch}.${index.toString(36)}`
}

/** `null` if this is no mark of any node. */
export function parseMark(mark: string): MarkPosition | null {
  const match = /^(.{1,64})\.([0-9a-z]{1,11})$/.exec(mark)
  if (match === null) return null
  const index = Number.parseInt(match[2] ?? '', 36)
  if (!Number.isSafeInteger(index)) return null
  return { epoch: match[1] ?? '', index }
}
