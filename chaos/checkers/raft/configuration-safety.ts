import { type Configuration, decodeConfiguration, EntryType, type RaftStatus } from '#cluster'
import type { CommittedEntries } from './committed-entries.ts'
import type { DurableLog, SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Leading {
  term: number
  configuration: Configuration
  commit: number
}

interface Placed {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

/**
 * R15: a configuration differs from the one before it by one voter at most, so every majority of the
 * one meets every majority of the other; the next one is appended only once that one is committed,
 * and an entry of the leader's own term (thesis §4.1, and its erratum of 2015); no name votes twice, and
 * nobody begins to before its disk has nearly all that its leader knew to be committed (thesis §4.2.1);
 * and a replica whose whole log is durable goes by the newest configuration in it.
 */
export class ConfigurationSafety implements RaftChecker {
  readonly #committed: CommittedEntries
  readonly #disks: () => readonly DurableLog[]
  /** What each leader said last. */
  readonly #leading = new Map<string, Leading>()
  /** What stands on each disk, lowest first; the lowest comes with a head or a snapshot. */
  readonly #onDisk = new Map<string, Placed[]>()
  readonly #first = new Set<string>()
  /** What was found equal: it stays so as long as both are the same objects. */
  readonly #compared = new Map<
    string,
    { readonly newest: Placed | undefined; readonly configuration: Configuration }
  >()
  /** New ones that were synced in the event under way: by its end their leader must have its reason. */
  #pending: { readonly at: Placed; readonly before: Placed | undefined }[] = []

  constructor(committed: CommittedEntries, disks: () => readonly DurableLog[]) {
    this.#committed = committed
    this.#disks = disks
  }

  onBatch({ name, disk }: ObservedReplica, { batch, removed }: SyncedBatch): void {
    const { head, formation, snapshot, entries } = batch
    let placed = this.#onDisk.get(disk.raftId)
    if (placed === undefined) this.#onDisk.set(disk.raftId, (placed = []))
    const [gone] = removed
    if (gone !== undefined) drop(placed, gone.index)
    if (head !== null && placed.length === 0) placed.push(head.position)
    if (formation !== null) {
      placed.splice(0, placed.length, { index: 0, term: 0, ...formation })
    }
    if (snapshot !== null) placed.splice(0, placed.length, snapshot)
    for (const { index, term, type, data } of entries) {
      if (type !== EntryType.configuration) continue
      drop(placed, index)
      const before = placed.at(-1)
      const at = { index, term, configuration: decodeConfiguration(data) }
      placed.push(at)
      if (before !== undefined) judgeStep(name, before, at)
      const key = `${index}/${term}`
      if (this.#first.has(key)) continue
      this.#first.add(key)
      this.#pending.push({ at, before })
    }
  }

  onStatus({ name, disk, configuration }: ObservedReplica, status: RaftStatus): void {
    for (const { at, before } of this.#pending.splice(0)) this.#judgeReason(at, before)
    if (configuration === null) return
    if (status.role === 'leader') this.#judgePromotion(name, configuration, status)
    if (status.persisted < status.lastIndex) return
    if (disk.lastIndex !== status.lastIndex) return
    // A disk that went back to an older image holds nothing past its end.
    const newest = this.#onDisk
      .get(status.id)
      ?.findLast((one) => one.index <= disk.lastIndex && isFormed(one.configuration))
    const compared = this.#compared.get(status.id)
    if (compared?.newest === newest && compared?.configuration === configuration) return
    this.#compared.set(status.id, { newest, configuration })
    demand(
      newest === undefined || votersOf(newest.configuration) === votersOf(configuration),
      'R15',
      () =>
        `${name} goes by ${votersOf(configuration)}; in its log stands ${votersOf(newest!.configuration)} at ${newest!.index}`,
    )
  }

  /** By what the leader knew before the event in which it appended the configuration. */
  #judgePromotion(name: string, configuration: Configuration, status: RaftStatus): void {
    const { id: leader, term, commit } = status
    const now = this.#leading.get(leader)
    if (now === undefined) {
      this.#leading.set(leader, { term, configuration, commit })
      return
    }
    const before = now.commit
    const { voters } = now.configuration
    const isNext = now.term === term && now.configuration !== configuration
    now.term = term
    now.configuration = configuration
    now.commit = commit
    if (!isNext) return
    for (const { id } of configuration.voters) {
      if (voters.some((voter) => voter.id === id)) continue
      const disk = this.#disks().find(({ raftId }) => raftId === id)
      // What a disk lost since is no fault of the leader.
      if (disk === undefined || disk.wentBack) continue
      demand(
        disk.promisedIndex + CLOSE_ENTRIES >= before,
        'R15',
        () =>
          `${name} lets ${id} vote, whose disk holds ${disk.promisedIndex}; ${before} is committed`,
      )
    }
  }

  #judgeReason(at: Placed, before: Placed | undefined): void {
    const { highest } = this.#committed
    demand(
      before === undefined || before.index <= highest,
      'R15',
      () =>
        `the configuration at ${at.index} was appended while that at ${before!.index} was not committed (${highest} is)`,
    )
    const term = this.#committed.termAt(highest)
    demand(
      term < 0 || term >= at.term || highest >= at.index,
      'R15',
      () =>
        `the configuration at ${at.index} of term ${at.term} was appended before its leader committed an entry of its own (${highest} of term ${term} is)`,
    )
  }
}

/** A new voter may lack so many entries of what is committed. */
const CLOSE_ENTRIES = 64

/** What stands on a disk before the formation does has no voters yet. */
const isFormed = ({ voters }: Configuration): boolean => voters.length > 0

function drop(placed: Placed[], from: number): void {
  while (placed.length > 0 && placed.at(-1)!.index >= from) placed.pop()
}

function judgeStep(name: string, before: Placed, at: Placed): void {
  const [old, now] = [idsOf(before.configuration), idsOf(at.configuration)]
  const changes =
    old.filter((id) => !now.includes(id)).length + now.filter((id) => !old.includes(id)).length
  demand(
    changes <= 1 && now.length > 0,
    'R15',
    () => `${name} goes from the voters ${old.join(' ')} to ${now.join(' ')} at ${at.index}`,
  )
  const { outgoing, learners } = at.configuration
  const twice = learners.some(({ id }) => now.includes(id)) || new Set(now).size < now.length
  demand(
    outgoing.length === 0 && !twice,
    'R15',
    () => `${name} has a configuration with two halves or one replica twice at ${at.index}`,
  )
  const names = new Set(at.configuration.voters.map((voter) => voter.name))
  demand(
    names.size === now.length,
    'R15',
    () => `${name} has two voters of one name at ${at.index}: ${now.join(' ')}`,
  )
}

const idsOf = ({ voters }: Configuration): string[] => voters.map(({ id }) => id)

const votersOf = (configuration: Configuration): string => {
  const learners = configuration.learners.map(({ id }) => id)
  return `${idsOf(configuration).toSorted().join(' ')} and learners ${learners.toSorted().join(' ')}`
}
