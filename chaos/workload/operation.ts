/**
 * One thing that a device tries, at `atMs` after its conversations were made. Without a session, or
 * with its window full, it does not come to it.
 */
export type Operation = { readonly atMs: number; readonly device: string } & (
  | {
      readonly kind: 'send'
      /** Which of the conversations of the run, from 0. */
      readonly conversation: number
      /** Bytes added to the body. */
      readonly padding: number
    }
  | {
      readonly kind: 'pull'
      readonly conversation: number
      readonly linearizable: boolean
      /** How far before the newest that anybody was shown it begins. */
      readonly back: number
    }
  /** A copy of the write that was answered so many answers ago, as after a lost answer. */
  | { readonly kind: 'repeat'; readonly back: number }
  /** Drops the connection for another node. */
  | { readonly kind: 'move' }
  /** An SDK client dies and comes back after `forMs`, with its store or as a new installation. */
  | { readonly kind: 'crash'; readonly keeps: boolean; readonly forMs: number }
)
