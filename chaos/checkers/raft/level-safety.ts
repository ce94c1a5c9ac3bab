import { allMembers, type Configuration } from '#cluster'
import type { CommandView } from '../../../node/state-machine/command-view.ts'
import { CommandKind } from '../../../node/state-machine/commands.ts'
import { levelOf } from '../../../node/state-machine/feature-level.ts'
import type { CommittedEntries } from './committed-entries.ts'
import type { EntryName } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Levelled extends EntryName {
  readonly level: number
  /** It raises the level; else it is of that level. */
  readonly raises: boolean
}

/**
 * R22: nothing gets into a log that is of a higher feature level than the one that was committed before
 * it, and the level is raised only to what every member can do, learners too (rule A9).
 */
export class LevelSafety implements RaftChecker {
  readonly #committed: CommittedEntries
  /** By raft id, since their start. */
  readonly #replicas = new Map<string, ObservedReplica>()
  readonly #raises: Levelled[] = []
  /** Synced in the event under way: what led to it is judged by its end. */
  readonly #pending: Levelled[] = []

  constructor(committed: CommittedEntries) {
    this.#committed = committed
  }

  onStarted(replica: ObservedReplica): void {
    this.#replicas.set(replica.disk.raftId, replica)
  }

  /** A command, where it first is on a disk. */
  onCommand(view: CommandView, { index, term }: EntryName): void {
    const level = levelOf(view)
    if (level === 1) return
    this.#pending.push({ index, term, level, raises: view.kind === CommandKind.level })
  }

  onStatus({ configuration }: ObservedReplica): void {
    if (this.#pending.length === 0 || configuration === null) return
    for (const levelled of this.#pending.splice(0)) {
      if (levelled.raises) this.#judgeRaise(levelled, configuration)
      else this.#judgeCommand(levelled)
    }
  }

  #judgeRaise(raise: Levelled, configuration: Configuration): void {
    this.#raises.push(raise)
    for (const { id, name } of allMembers(configuration)) {
      const most = this.#replicas.get(id)?.mostLevel ?? Infinity
      demand(
        raise.level <= most,
        'R22',
        () => `at ${raise.index} the level rises to ${raise.level}, and ${name} can do ${most}`,
      )
    }
  }

  #judgeCommand({ index, level }: Levelled): void {
    const inForce = this.#raises.some(
      (raise) =>
        raise.level >= level &&
        raise.index < index &&
        this.#committed.termAt(raise.index) === raise.term,
    )
    demand(
      inForce,
      'R22',
      () => `a command of level ${level} stands at ${index}, before that level was committed`,
    )
  }
}
