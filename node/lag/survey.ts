/** By what lags are listed. */
export const LAG_KINDS = ['user', 'device', 'conversation'] as const
export type LagKind = (typeof LAG_KINDS)[number]

export interface UserLag {
  readonly user: string
  /** Events of his inbox that none of his devices has acknowledged. */
  readonly behind: number
  readonly head: number
  /** The newest that one of them has. */
  readonly inbox: number
  readonly devices: number
  /** Log time in ms when one of them was last heard of; `null`: none ever was. */
  readonly seen: number | null
}

export interface DeviceLag {
  readonly user: string
  readonly device: string
  readonly behind: number
  readonly head: number
  readonly inbox: number
  readonly seen: number
}

export interface ConversationLag {
  readonly conv: string
  readonly kind: 'direct' | 'group'
  /** Of the present member who lacks most: events that he may see and that are kept. */
  readonly behind: number
  /** He; of several who lack as much whoever came last. */
  readonly user: string
  readonly head: number
  readonly memberCount: number
  /** Present members who lack any. */
  readonly waiting: number
  /** What all of them lack together. */
  readonly undelivered: number
  /** The oldest event that any of them lacks. */
  readonly oldest: number
}

/** A walk over everything there is of one kind, page by page. */
export interface Survey {
  /** How many were looked at, of how many there are. */
  readonly looked: number
  readonly total: number
  /** Looks at the next page; `false`: there was none. Resumed by nobody but its last caller. */
  step(): Promise<boolean>
}

/** What a survey keeps. */
export const MOST_ROWS = 100
