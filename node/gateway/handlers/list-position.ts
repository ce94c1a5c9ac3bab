import type { ListPosition } from '../../state-machine/types.ts'

/** Opaque to clients, who hand it back to have the list go on. */
export function formatListPosition({ changedAt, id }: ListPosition): string {
  return `${changedAt.toString(36)}.${id}`
}

/** `null` if no node gave it out. */
export function parseListPosition(text: string): ListPosition | null {
  const match = /^([0-9a-z]{1,11})\.([!-~]{1,128})$/.exec(text)
  if (match === null) return null
  const changedAt = Number.parseInt(match[1]!, 36)
  return Number.isSafeInteger(changedAt) ? { changedAt, id: match[2]! } : null
}
