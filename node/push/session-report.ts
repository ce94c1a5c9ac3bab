import { array, integer, object, oneOf, PeerProtocolError, readJson, text } from '#cluster'
import { LIMITS } from '#protocol'

/** Devices named by one report; a gateway with more of them sends several. */
export const MAX_REPORTED = 1_000

export interface ReportedDevice {
  readonly user: string
  readonly device: string
}

/** What a gateway tells the leader of the devices that want to be called when they are away (B9). */
export interface SessionReport {
  /** Whom it is for: the leader of that term. */
  readonly term: number
  /**
   * Of a list of all that have a session: its first part, a part between, the last. `only`: the whole
   * list; `change`: what changed since.
   */
  readonly part: (typeof PARTS)[number]
  readonly here: readonly ReportedDevice[]
  /** Have no session any more; in a `change` only. */
  readonly gone: readonly ReportedDevice[]
}

const PARTS = ['first', 'next', 'last', 'only', 'change'] as const
const DEVICES = array(
  object<ReportedDevice>({ user: text(LIMITS.userLength), device: text(LIMITS.deviceLength) }),
  MAX_REPORTED,
)
const REPORT = object<SessionReport>({
  term: integer(1),
  part: oneOf(...PARTS),
  here: DEVICES,
  gone: DEVICES,
})

/** @throws PeerProtocolError */
export function decodeSessionReport(body: Uint8Array): SessionReport {
  return readJson(
    body,
    REPORT,
    (why) => new PeerProtocolError(`a report of sessions is malformed: ${why}`),
  )
}
