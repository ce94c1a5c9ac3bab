/** What an acknowledgement says, by the number that it has in the literature. */
export const AckType = {
  UNKNOWN: 0,
  /** `msg:A`: a majority of the nodes has the message on disk. */
  ACCEPTED: 1,
  /** `ack:N delivered`: a device of another member has it. */
  DELIVERED: 2,
  /** `ack:N read`: another member has read it. */
  SEEN: 3,
  /** The log or the frame alone refused it: it is not sent again. */
  REJECTED: 4,
  /** `ack:N expired`: retention removed it before any device of the recipient had it. */
  FAILED: 5,
} as const

export type AckType = (typeof AckType)[keyof typeof AckType]

/** One acknowledgement of a message of one's own. */
export interface Acknowledgement {
  readonly message_id: string
  readonly type: AckType
  /** Wall time in ms; of a refusal that of this device. */
  readonly timestamp: number
  /** The member whose device acknowledged it; `null` for the cluster, and for a mere count. */
  readonly sender_id: string | null
  /** Why it was refused. */
  readonly error_code: string | null
}
