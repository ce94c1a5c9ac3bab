/**
 * Named places where a drill may end the process (or, in simulation, crash the node) to prove that
 * nothing acknowledged depends on surviving them. Outside drills `hit` does nothing.
 */
export interface Failpoints {
  /** May never return. */
  hit(name: FailpointName): void
  /** Whether the next `hit` of this name ends the process: lets a place prepare its worst moment. */
  armed(name: FailpointName): boolean
}

export const FAILPOINTS = {
  /** Leader: its entry is durable here, and was sent to nobody. */
  'leader.appendedUnsent': 'after the leader wrote its entry, before any was sent',
  /** Leader: one follower acknowledged an entry that is not committed yet. */
  'leader.oneAck': 'after the first follower acknowledged, before commit',
  /** Leader: an entry is committed; nobody was told. */
  'leader.committedUnanswered': 'after commit, before apply and answer',
  /** Gateway: half of an answer's bytes are on the socket. */
  'gateway.halfAnswer': 'with half of the answer written',
} as const

export type FailpointName = keyof typeof FAILPOINTS

export const NO_FAILPOINTS: Failpoints = { hit: () => {}, armed: () => false }
