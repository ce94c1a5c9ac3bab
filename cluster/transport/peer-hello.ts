import type { Address, Connection } from '../ports.ts'
import { hex, integer, object, optional, readJson, text } from '../json-shape.ts'
import { PeerProtocolError } from './peer-frame.ts'

/**
 * Peer protocol versions this build speaks. What a version adds is sent only to who speaks it too:
 *
 * - 1: frames of the kinds up to 21 (`peer-frame.ts`).
 * - 2: frames of all kinds.
 */
export const PEER_PROTOCOL = { min: 1, max: 2 } as const

/** Feature levels are the host's: what may stand in its log. */
export interface Features {
  /** Of the program, for people. */
  readonly version: string
  /** What the speaker can do. */
  readonly levels: { readonly min: number; readonly max: number }
  /** At which the cluster is, as far as the speaker has applied its log. */
  readonly level: number
}

/** Of a node that says nothing of them: a version before there were any. */
export const FIRST_FEATURES: Features = { version: '', levels: { min: 1, max: 1 }, level: 1 }

/** Who speaks, first frame in both directions. Empty `clusterId`: not part of a cluster yet. */
export interface PeerHello {
  readonly protocol: { readonly min: number; readonly max: number }
  readonly clusterId: string
  readonly epoch: string
  readonly raftId: string
  readonly name: string
  /** Where the speaker is reached, for a peer that knows no member of that name. */
  readonly address?: Address | undefined
  /** Absent in versions before there were levels: `featuresOf`. */
  readonly features?: Features | undefined
}

export interface Refusal {
  readonly code: 'WRONG_CLUSTER' | 'WRONG_EPOCH' | 'VERSION' | 'WRONG_PEER' | 'WRONG_NAME'
  readonly message: string
}

/** What versions to come add to it, or change but for these fields, does not matter to a refusal. */
const HELLO = object<PeerHello>({
  protocol: object({ min: integer(), max: integer() }),
  clusterId: text(255),
  epoch: text(255),
  raftId: hex(8),
  name: text(255),
  address: optional(text(1_024)),
  features: optional(
    object<Features>({
      version: text(64),
      levels: object({ min: integer(1), max: integer(1) }),
      level: integer(1),
    }),
  ),
})

const REMOVED = object({ index: integer(1, Number.MAX_SAFE_INTEGER) })
const REFUSAL = object<Pick<Refusal, 'message'>>({ message: text(4_096) })

/** @throws PeerProtocolError */
export function decodeHello(body: Uint8Array): PeerHello {
  return readJson(body, HELLO, (why) => new PeerProtocolError(`a hello is malformed: ${why}`))
}

/**
 * Why a peer refuses to talk; its code may be one of a later version.
 *
 * @throws PeerProtocolError
 */
export function decodeRefusal(body: Uint8Array): string {
  const { message } = readJson(
    body,
    REFUSAL,
    (why) => new PeerProtocolError(`a refusal is malformed: ${why}`),
  )
  return message
}

/** @throws PeerProtocolError */
export function decodeRemoved(body: Uint8Array): number {
  const malformed = (why: string) => new PeerProtocolError(`a removal is malformed: ${why}`)
  return readJson(body, REMOVED, malformed).index
}

export function featuresOf(hello: PeerHello): Features {
  return hello.features ?? FIRST_FEATURES
}

/** Who cannot do the level of the other's cluster would stop at what it finds in the log. */
function levelObjection(one: PeerHello, other: PeerHello): string | null {
  for (const [of, by] of [
    [one, other],
    [other, one],
  ] as const) {
    const { level } = featuresOf(of)
    const { levels } = featuresOf(by)
    if (level >= levels.min && level <= levels.max) continue
    const advice =
      level > levels.max
        ? `${by.name} was started with an older version after the upgrade was finalized; start it with the newer one`
        : 'upgrade in smaller steps, and finalize each: parley upgrade finalize'
    return `${by.name} can do feature levels ${levels.min}–${levels.max}, the cluster of ${of.name} is at ${level}: ${advice}`
  }
  return null
}

/**
 * What stands against talking to `remote` over such a connection; `null` if nothing does. `member` is the name of the
 * member whose Raft id `remote` gives, as far as `local` knows one. Two nodes of which one is not
 * part of a cluster yet may talk: formation needs it, and a stranger must be told what it is (K1).
 */
export function objection(
  local: PeerHello,
  remote: PeerHello,
  { names }: Pick<Connection, 'names'>,
  member: string | null = null,
): Refusal | null {
  if (names !== undefined && !names.includes(remote.name)) {
    return {
      code: 'WRONG_NAME',
      message: `${remote.name} shows a certificate of ${names.join(', ')}: give it one of its own (parley certs node ${remote.name})`,
    }
  }
  const { min, max } = remote.protocol
  if (min > local.protocol.max || max < local.protocol.min) {
    const mine = `${local.protocol.min}–${local.protocol.max}`
    return {
      code: 'VERSION',
      message: `${remote.name} speaks peer protocol ${min}–${max}, ${local.name} ${mine}: upgrade the older node`,
    }
  }
  if (remote.raftId === local.raftId) {
    return {
      code: 'WRONG_PEER',
      message: `${remote.name} answers with the Raft id of ${local.name} itself: two nodes share a data directory, or an address points at the wrong node`,
    }
  }
  const isMember = local.clusterId !== '' && remote.clusterId !== ''
  if (isMember && remote.clusterId !== local.clusterId) {
    return {
      code: 'WRONG_CLUSTER',
      message: `${remote.name} belongs to cluster ${remote.clusterId}, ${local.name} to ${local.clusterId}: check the peer addresses, or give the node the data directory of this cluster`,
    }
  }
  if (isMember && remote.epoch !== local.epoch) {
    return {
      code: 'WRONG_EPOCH',
      message: `${remote.name} is of epoch ${remote.epoch}, ${local.name} of ${local.epoch}: it was left behind by a restore or recover; replace it with: parley members replace ${remote.name}`,
    }
  }
  // A name is proven by a certificate, an id by nothing: who bears the one must not speak as the other.
  if (member !== null && member !== remote.name) {
    return {
      code: 'WRONG_NAME',
      message: `${remote.name} gives the Raft id of ${member}: start it with --name ${member}, or with a data directory of its own`,
    }
  }
  // Both say the same, whoever dialled.
  const level =
    local.name < remote.name ? levelObjection(local, remote) : levelObjection(remote, local)
  return level === null ? null : { code: 'VERSION', message: level }
}
