/** What `parley dev --json` prints, one per line; `ready` is the first. */
export type DevEvent =
  | {
      readonly event: 'ready'
      readonly leader: string
      readonly term: number
      readonly nodes: readonly { readonly id: string; readonly url: string; readonly pid: number }[]
    }
  | { readonly event: 'leader'; readonly leader: string | null; readonly term: number }
  | {
      readonly event: 'started' | 'paused' | 'resumed'
      readonly node: string
      readonly pid: number
    }
  | {
      readonly event: 'partitioned'
      readonly nodes: readonly string[]
      /** The nodes that they are cut off from. */
      readonly from: readonly string[]
      /** True: they still hear those. */
      readonly oneWay: boolean
    }
  /** The nodes that had been cut off from any other. */
  | { readonly event: 'healed'; readonly nodes: readonly string[] }
  | {
      readonly event: 'exit'
      readonly node: string
      readonly pid: number
      readonly code: number | null
      readonly signal: string | null
      /** False if nobody asked for it. */
      readonly expected: boolean
    }
  | { readonly event: 'stopping' }
  | { readonly event: 'stopped' }

export const DEV_ACTIONS = [
  'kill',
  'stop',
  'start',
  'pause',
  'resume',
  'partition',
  'heal',
] as const
export type DevAction = (typeof DEV_ACTIONS)[number]

/** What else a partition takes. */
export interface CutShape {
  /** Names with commas between. @default all others */
  readonly others?: string | undefined
  /** The nodes still hear the others. @default false */
  readonly oneWay?: boolean | undefined
}

/** Answer to an action. */
export type ActionResult =
  | {
      readonly ok: true
      readonly action: DevAction
      readonly nodes: readonly { readonly id: string; readonly pid: number | null }[]
      /** Of a partition: whom they are cut off from, and whether they still hear those. */
      readonly from?: readonly string[]
      readonly oneWay?: boolean
      /** Who led when the action came, and who leads after it; only where that may change. */
      readonly oldLeader?: string | null
      readonly newLeader?: string | null
      /** From the action to the first answer of a new leader. */
      readonly leaderAfterMs?: number
      /** What a person should know besides. */
      readonly remark?: string
    }
  | {
      readonly ok: false
      readonly action: DevAction
      readonly message: string
      readonly usage: boolean
    }
