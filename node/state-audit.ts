import {
  integer,
  type Logger,
  object,
  PeerProtocolError,
  type RaftId,
  readJson,
  text,
} from '#cluster'

/** Each node's hash is compared when its applied index is a multiple of this. */
export const AUDIT_EVERY_ENTRIES = 10_000
const KEPT_POINTS = 8

export interface StateAuditHost {
  readonly logger: Logger
  readonly self: RaftId
  readonly everyEntries: number
  voters(): readonly RaftId[]
  stateHash(): string
  report(point: HashPoint): void
  /** A majority agrees on another state than this node's: whatever it serves is wrong. */
  onDiverged(point: HashPoint): void
}

export interface HashPoint {
  readonly index: number
  readonly hash: string
}

const POINT = object<HashPoint>({ index: integer(1), hash: text(128) })

/** @throws PeerProtocolError */
export function decodeHashPoint(body: Uint8Array): HashPoint {
  return readJson(
    body,
    POINT,
    (why) => new PeerProtocolError(`a report of a state hash is malformed: ${why}`),
  )
}

/**
 * The same log must give the same state everywhere (rule K5). Nodes tell each other their running
 * hash at the same indexes. One that stands alone against a majority that agrees has been damaged in
 * memory or on disk and must stop serving; without such a majority nobody can tell who is right:
 * then nobody stops, and everybody says so.
 */
export class StateAudit {
  readonly #host: StateAuditHost
  /** By index, then by node; oldest index first. */
  readonly #points = new Map<number, Map<RaftId, string>>()
  #divergences = 0

  constructor(host: StateAuditHost) {
    this.#host = host
  }

  /** Points at which nodes of this cluster were seen to differ. */
  get divergences(): number {
    return this.#divergences
  }

  /** Called after each applied entry. */
  applied(index: number): void {
    if (index % this.#host.everyEntries !== 0) return
    const point = { index, hash: this.#host.stateHash() }
    this.#host.report(point)
    this.#note(this.#host.self, point)
  }

  /** A peer's report; older and repeated ones do no harm. */
  received(from: RaftId, point: HashPoint): void {
    this.#note(from, point)
  }

  #note(node: RaftId, { index, hash }: HashPoint): void {
    const hashes = this.#points.get(index) ?? new Map<RaftId, string>()
    this.#points.set(index, hashes)
    hashes.set(node, hash)
    for (const old of this.#points.keys()) {
      if (this.#points.size <= KEPT_POINTS) break
      this.#points.delete(old)
    }
    this.#judge(index, hashes)
  }

  #judge(index: number, hashes: ReadonlyMap<RaftId, string>): void {
    const voters = this.#host.voters()
    const votes = new Map<string, number>()
    for (const voter of voters) {
      const hash = hashes.get(voter)
      if (hash !== undefined) votes.set(hash, (votes.get(hash) ?? 0) + 1)
    }
    if (votes.size < 2) return
    this.#divergences += 1
    const own = hashes.get(this.#host.self)
    this.#host.logger.error('state.divergence', {
      index,
      own,
      hashes: Object.fromEntries(hashes),
      message: 'nodes hold different states at the same index: keep all data, look at the runbook',
    })
    const [majority] = [...votes].find(([, count]) => count > voters.length / 2) ?? []
    if (own !== undefined && majority !== undefined && majority !== own) {
      this.#host.onDiverged({ index, hash: own })
    }
  }
}
