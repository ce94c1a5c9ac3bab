import {
  type ClusterNode,
  type FrameHandler,
  object,
  PeerFrameKind,
  PeerProtocolError,
  type RaftId,
  readJson,
} from '#cluster'

/** What a node tells its peers of itself, when it changes and on each new link. */
export interface Standing {
  /** It sends its clients elsewhere and hands on leadership. */
  readonly draining: boolean
  /** It has applied what a leader confirmed after its start. */
  readonly ready: boolean
}

/** Of a peer that has said nothing, such as an older version. */
const UNSAID: Standing = { draining: false, ready: true }
/** Beyond the members there is nobody whose word counts. */
const MAX_PEERS = 64
/** From which peer protocol on a node knows what it is told here. */
const SINCE_PROTOCOL = 2

const flag = (value: unknown): boolean => {
  if (typeof value === 'boolean') return value
  throw new PeerProtocolError('a standing is malformed: it is neither true nor false')
}
const STANDING = object<Standing>({ draining: flag, ready: flag })

/** @throws PeerProtocolError */
export function decodeStanding(body: Uint8Array): Standing {
  return readJson(body, STANDING, (why) => new PeerProtocolError(`a standing is malformed: ${why}`))
}

/** Whom clients and leadership are best handed to, by what the peers say of themselves. */
export class PeerStandings {
  readonly #transport: ClusterNode['transport']
  readonly #own: () => Standing
  readonly #peers = new Map<RaftId, Standing>()

  constructor(transport: ClusterNode['transport'], own: () => Standing) {
    this.#transport = transport
    this.#own = own
  }

  /** This node's own changed. */
  tell(): void {
    for (const { raftId } of this.#transport.peersUp()) this.peerUp(raftId)
  }

  /** Frames reach this peer from now on. */
  peerUp(id: RaftId): void {
    const protocol = this.#transport.helloOf(id)?.protocol.max ?? 0
    if (protocol >= SINCE_PROTOCOL) {
      this.#transport.sendJson(id, PeerFrameKind.standing, this.#own())
    }
  }

  of(id: RaftId): Standing {
    return this.#peers.get(id) ?? UNSAID
  }

  /** How well it would do with clients or leadership: 2 at once, 1 soon, 0 not at all. */
  fitness(id: RaftId): 0 | 1 | 2 {
    const { draining, ready } = this.of(id)
    if (draining || !this.#transport.isUp(id)) return 0
    return ready ? 2 : 1
  }

  /** @throws PeerProtocolError */
  readFrame(from: RaftId, body: Uint8Array): FrameHandler {
    const standing = decodeStanding(body)
    return () => {
      if (!this.#peers.has(from) && this.#peers.size >= MAX_PEERS) {
        const [oldest] = this.#peers.keys()
        this.#peers.delete(oldest!)
      }
      this.#peers.set(from, standing)
    }
  }
}
