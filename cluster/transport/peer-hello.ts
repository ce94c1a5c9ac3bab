import type { Address } from '../ports.ts'
import { hex, integer, object, readJson, text } from '../json-shape.ts'
import { PeerProtocolError } from './peer-frame.ts'

/** Peer protocol versions this build speaks. */
export const PEER_PROTOCOL = { min: 1, max: 1 } as const

/** Who speaks, first frame in both directions. Empty `clusterId`: not part of a cluster yet. */
export interface PeerHello {
  readonly protocol: { readonly min: number; readonly max: number }
  readonly clusterId: string
  readonly epoch: string
  readonly raftId: string
  readonly name: string
  /** Where the speaker is reached, for a peer that knows no member of that name. */
  readonly address?: Address | undefined
}

export interface Refusal {
  readonly code: 'WRONG_CLUSTER' | 'WRONG_EPOCH' | 'VERSION' | 'WRONG_PEER'
  readonly message: string
}

/** What versions to come add to it, or change but for these fields, does not matter to a refusal. */
const HELLO = object<PeerHello>({
  protocol: object({ min: integer(), max: integer() }),
  clusterId: text(255),
  epoch: text(255),
  raftId: hex(8),
  name: text(255),
  address: (value, path) => (value === undefined ? undefined : text(1_024)(value, path)),
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

/**
 * What stands against talking to `remote`; `null` if nothing does. Two nodes of which one is not
 * part of a cluster yet may talk: formation needs it, and a stranger must be told what it is (K1).
 */
export function objection(local: PeerHello, remote: PeerHello): Refusal | null {
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
  if (local.clusterId === '' || remote.clusterId === '') return null
  if (remote.clusterId !== local.clusterId) {
    return {
      code: 'WRONG_CLUSTER',
      message: `${remote.name} belongs to cluster ${remote.clusterId}, ${local.name} to ${local.clusterId}: check the peer addresses, or give the node the data directory of this cluster`,
    }
  }
  if (remote.epoch !== local.epoch) {
    return {
      code: 'WRONG_EPOCH',
      message: `${remote.name} is of epoch ${remote.epoch}, ${local.name} of ${local.epoch}: it was left behind by a restore or recover; replace it with: parley members replace ${remote.name}`,
    }
  }
  return null
}
