import { type Failpoints, NO_FAILPOINTS } from '../failpoints.ts'
import { hex, object, readJson } from '../json-shape.ts'
import type { Formation, LogStorage } from '../log/log-storage.ts'
import type { Logger } from '../logger.ts'
import type { Random } from '../ports.ts'
import { configurationShape, type Member } from '../raft/configuration.ts'
import type { RaftId } from '../raft/types.ts'
import { checkedConfiguration } from '../transport/checked-configuration.ts'
import type { FrameHandler } from '../transport/frame-intake.ts'
import { PeerFrameKind, PeerProtocolError } from '../transport/peer-frame.ts'
import type { PeerHello } from '../transport/peer-hello.ts'

/** A member as an operator names it before the cluster exists. */
export type InitialMember = Omit<Member, 'id'>

export interface FormationHost {
  readonly log: LogStorage
  readonly name: string
  readonly initialMembers: readonly InitialMember[]
  readonly random: Random
  readonly logger: Logger
  /** @default none */
  readonly failpoints?: Failpoints
  /** Introductions of all that can be sent to now. */
  peers(): readonly PeerHello[]
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  /** The log has its first record now; introduce this node anew. */
  onFormed(): void
  /** Every initial member has its first record: elections may begin. */
  onComplete(): void
  /** A cluster exists that this empty directory is no part of (rule K1). */
  onStranger(clusterId: string): void
  /** The log failed: the process must end. */
  onFatal(error: Error): void
}

/**
 * How a cluster comes to be (rule K1). All initial members start empty and exchange their Raft ids;
 * the first by name writes `{clusterId, epoch, ids}` as the first record of its log and offers it to
 * the others, who write the same and offer it on. Nobody campaigns before all wrote it: a member that could vote in
 * two clusters would be lost with its memory of the first. Crashes in between are harmless: the
 * offer is repeated until every member took it.
 */
export class ClusterFormation {
  readonly #host: FormationHost
  readonly #failpoints: Failpoints
  /** Peers that were heard to be part of this cluster. */
  readonly #formedPeers = new Set<RaftId>()
  #started = false
  /** A cluster exists that this empty directory is no part of: it founds none of its own. */
  #isStranger = false
  #writing = false
  #joining = false
  #complete = false

  constructor(host: FormationHost) {
    this.#host = host
    this.#failpoints = host.failpoints ?? NO_FAILPOINTS
  }

  /** Until then it takes part in what others found, and founds nothing itself. */
  start(): void {
    this.#started = true
    const { log } = this.#host
    const { formation } = log
    if (formation !== null && (log.hardState.term > 0 || isTakenIn(formation, log.raftId))) {
      this.#finish()
    } else this.#advance()
  }

  /** A term above 0 proves that an election was held, and so that all members were formed then. */
  elected(): void {
    this.#finish()
  }

  /** The first record, `null` until it is durable: who hears of it may count on it (rule K1). */
  get formation(): Formation | null {
    return this.#writing ? null : this.#host.log.formation
  }

  get complete(): boolean {
    return this.#complete
  }

  peerUp(peer: PeerHello): void {
    const mine = this.formation
    if (mine !== null && peer.clusterId === mine.clusterId) this.#formedPeers.add(peer.raftId)
    if (mine !== null && peer.clusterId === '' && !this.#mayStillForm(mine, peer)) {
      this.#host.sendJson(peer.raftId, PeerFrameKind.stranger, { clusterId: mine.clusterId })
    }
    this.#advance()
  }

  /** @throws PeerProtocolError if the frame is malformed; what it returns does what it asks for */
  readFrame(from: PeerHello, kind: number, body: Uint8Array): FrameHandler {
    if (kind === PeerFrameKind.form || kind === PeerFrameKind.join) {
      const formation = decodeFormation(from, body)
      return kind === PeerFrameKind.form
        ? () => this.#offered(from, formation)
        : () => this.#joined(formation)
    }
    const clusterId = decodeClusterId(body)
    return kind === PeerFrameKind.stranger
      ? () => this.#strangerTo(clusterId)
      : () => this.#formed(from, clusterId)
  }

  #strangerTo(clusterId: string): void {
    if (this.#host.log.formation !== null) return
    this.#isStranger = true
    this.#host.onStranger(clusterId)
  }

  #formed(from: PeerHello, clusterId: string): void {
    if (clusterId !== this.#host.log.formation?.clusterId) return
    this.#formedPeers.add(from.raftId)
    this.#advance()
  }

  /** Once all members wrote the first record, an empty directory under any id has lost its data. */
  #mayStillForm(formation: Formation, peer: PeerHello): boolean {
    return !this.#complete && formation.configuration.voters.some(({ id }) => id === peer.raftId)
  }

  #advance(): void {
    if (this.#complete || this.#writing) return
    const formation = this.#host.log.formation
    if (formation === null) this.#maybeFound()
    else this.#offerToOthers(formation)
  }

  /**
   * Only the first by name founds, and only while it sees every other member empty. Nobody else has
   * to agree where it is the only one: then its host decides when to start.
   */
  #maybeFound(): void {
    if (!this.#started || this.#isStranger) return
    const { log, name, initialMembers } = this.#host
    const first = [...initialMembers].sort((a, b) => (a.name < b.name ? -1 : 1))[0]
    if (first === undefined || first.name !== name) return
    const voters: Member[] = []
    const peers = this.#peersByName()
    for (const member of initialMembers) {
      const peer = peers.get(member.name)
      if (member.name !== name && peer?.clusterId !== '') return
      voters.push({ ...member, id: member.name === name ? log.raftId : peer!.raftId })
    }
    if (new Set(voters.map(({ id }) => id)).size < voters.length) {
      this.#host.logger.error('formation.refused', {
        message: 'two members share a Raft id: give each node a data directory of its own',
      })
      return
    }
    const hex = (length: number) => Buffer.from(this.#host.random.bytes(length)).toString('hex')
    this.#write({
      clusterId: hex(16),
      epoch: hex(8),
      configuration: { voters, outgoing: [], learners: [] },
    })
  }

  #offered(from: PeerHello, formation: Formation): void {
    const { log, name, initialMembers, logger } = this.#host
    if (this.#writing) return
    if (log.formation !== null) {
      if (log.formation.clusterId !== formation.clusterId) return
      this.#host.sendJson(from.raftId, PeerFrameKind.formed, { clusterId: formation.clusterId })
      return
    }
    const names = (members: readonly { name: string }[]) =>
      members
        .map((m) => m.name)
        .sort()
        .join()
    const mine = formation.configuration.voters.find((member) => member.id === log.raftId)
    if (mine?.name !== name || names(formation.configuration.voters) !== names(initialMembers)) {
      logger.warn('formation.refused', {
        from: from.name,
        message: `${from.name} founds a cluster of ${names(formation.configuration.voters)}, this node was told ${names(initialMembers)}: give every node the same initial members`,
      })
      return
    }
    this.#write(formation)
  }

  /** A leader has taken this empty directory in as a learner: no election waits for it. */
  #joined(formation: Formation): void {
    if (this.#host.log.formation !== null || this.#writing) return
    this.#joining = true
    this.#write(formation)
  }

  #write(formation: Formation): void {
    this.#writing = true
    this.#failpoints.hit('membership.formationUnwritten')
    this.#host.log.form(formation).then(
      () => this.#written(formation),
      (error: Error) => this.#host.onFatal(error),
    )
  }

  #written(formation: Formation): void {
    this.#writing = false
    this.#failpoints.hit('membership.formationWritten')
    this.#host.logger.info('formation.written', { clusterId: formation.clusterId })
    for (const peer of this.#host.peers()) {
      this.#host.sendJson(peer.raftId, PeerFrameKind.formed, { clusterId: formation.clusterId })
    }
    this.#host.onFormed()
    if (this.#joining) this.#finish()
    else this.#advance()
  }

  #offerToOthers(formation: Formation): void {
    const others = formation.configuration.voters.filter(({ id }) => id !== this.#host.log.raftId)
    const peers = this.#peersByName()
    for (const { id, name } of others) {
      const peer = peers.get(name)
      if (peer?.raftId === id && peer.clusterId === '' && !this.#formedPeers.has(id)) {
        this.#host.sendJson(id, PeerFrameKind.form, formation)
        this.#failpoints.hit('membership.formationOffered')
      }
    }
    if (others.every(({ id }) => this.#formedPeers.has(id))) this.#finish()
  }

  #peersByName(): Map<string, PeerHello> {
    return new Map(this.#host.peers().map((peer) => [peer.name, peer]))
  }

  #finish(): void {
    if (this.#complete) return
    this.#complete = true
    this.#failpoints.hit('membership.formationComplete')
    this.#host.onComplete()
  }
}

/** Its first record is that of a cluster that took it in later: no election ever waited for it. */
function isTakenIn(formation: Formation, id: RaftId): boolean {
  return formation.configuration.voters.every((voter) => voter.id !== id)
}

const FORMATION = object<Formation>({
  clusterId: hex(16),
  epoch: hex(8),
  configuration: configurationShape,
})

const CLUSTER = object({ clusterId: hex(16) })

/** @throws PeerProtocolError also if it is not of the cluster that the sender itself is part of */
function decodeFormation(from: PeerHello, body: Uint8Array): Formation {
  const formation = readJson(body, FORMATION, malformed('a formation'))
  if (from.clusterId !== formation.clusterId || from.epoch !== formation.epoch) {
    throw new PeerProtocolError(`${from.name} offers a cluster that it is no part of`)
  }
  checkedConfiguration(formation.configuration)
  return formation
}

function decodeClusterId(body: Uint8Array): string {
  return readJson(body, CLUSTER, malformed('the name of a cluster')).clusterId
}

function malformed(what: string): (why: string) => PeerProtocolError {
  return (why) => new PeerProtocolError(`${what} is malformed: ${why}`)
}
