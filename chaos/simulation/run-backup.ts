import type { Clock } from '#cluster'
import { BackupError } from '../../node/backup/backup-error.ts'
import type { Backups } from '../../node/backup/backups.ts'
import { install } from '../../node/backup/prepared-member.ts'
import { checkBackup, readBackup } from '../../node/backup/read-backup.ts'
import type { ParleyNode } from '../../node/parley-node.ts'
import { ParleyStateMachine } from '../../node/state-machine/state-machine.ts'
import type { StateReader } from '../../node/state-machine/types.ts'
import { MemoryStoreDirectory } from '../../node/store/memory-store-directory.ts'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { RunBackupFile } from './run-restore.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

const PAGE = 200

/** Nothing is written after it was opened. */
const STILL: Clock = {
  wallMs: () => 0,
  monotonicMs: () => 0,
  after: () => ({ cancel: () => {} }),
  defer: (run) => queueMicrotask(run),
}

/**
 * R21: a backup taken from a node while clients write. Read as a file is, and opened as a state of its
 * own, it must be what the node had applied when it was asked, and hold every event that the node has.
 */
export class RunBackup {
  readonly #world: SimWorld
  readonly #node: SimNode
  readonly #parley: ParleyNode
  #isDone = false
  /** Events that were compared; 0 where the node could give no backup. */
  compared = 0
  /** `null` where the node could give none. */
  file: Pick<RunBackupFile, 'manifest' | 'pieces'> | null = null

  constructor(world: SimWorld, node: SimNode) {
    this.#world = world
    this.#node = node
    this.#parley = node.parley!
  }

  /** Also where the node ended meanwhile: then there is nothing to judge. */
  get isOver(): boolean {
    return this.#isDone || this.#node.parley !== this.#parley
  }

  begin(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    try {
      await this.#judge()
    } catch (error) {
      // What a disk did to the node is judged by what the node does about it.
      if (error instanceof PropertyViolation) this.#world.fail(error)
      else if (error instanceof BackupError) this.#world.fail(wrong(error.message))
    }
    this.#isDone = true
  }

  async #judge(): Promise<void> {
    const floor = this.#parley.state.appliedIndex
    const bytes = await this.#read(this.#parley.backups)
    if (bytes === null) return
    const file = async function* () {
      for (const piece of bytes) yield piece
    }
    const { manifest } = await checkBackup(file)
    if (manifest.index < floor) {
      throw wrong(`it ends at ${manifest.index}, and ${floor} was applied when it was asked for`)
    }
    const directory = new MemoryStoreDirectory()
    await install(directory, manifest, readBackup(file))
    const machine = await ParleyStateMachine.open({
      directory,
      clock: STILL,
      random: { uint32: () => 0, bytes: (length) => new Uint8Array(length) },
      configuration: () => manifest.configuration,
      onFailure: () => {},
    })
    const { appliedIndex, reader } = machine
    if (appliedIndex !== manifest.index || reader.stateHash !== manifest.stateHash) {
      throw wrong(`it opens at ${appliedIndex} with ${reader.stateHash}, not at ${manifest.index}`)
    }
    this.#world.judges.agreement.onApplied(this.#node, appliedIndex, reader.stateHash)
    await this.#compare(reader)
    await machine.close()
    this.file = { manifest, pieces: bytes }
  }

  async #read(backups: Backups): Promise<Uint8Array[] | null> {
    const opened = await backups.open()
    if (opened === null) throw wrong('another one is under way that nobody asked for')
    const bytes: Uint8Array[] = []
    try {
      for await (const chunk of opened.chunks) bytes.push(chunk)
    } finally {
      await opened.close()
    }
    return bytes
  }

  /** The feed has every event, in an order that is the same everywhere. */
  async #compare(restored: StateReader): Promise<void> {
    const { state } = this.#parley
    if (restored.feedHead > state.feedHead) throw wrong('it has events that its node has not')
    for (let after = 0; after < restored.feedHead;) {
      const limit = Math.min(PAGE, restored.feedHead - after)
      const mine = await restored.feedAfter(after, limit)
      const its = await state.feedAfter(after, limit)
      const forgotten = Math.max(mine.gap?.to ?? 0, its.gap?.to ?? 0)
      if (forgotten > after) {
        after = forgotten
        continue
      }
      for (const [at, { number, conv, seq, event }] of mine.entries.entries()) {
        const other = its.entries[at]
        const isSame = other?.number === number && other.conv === conv && other.seq === seq
        // What retention took away since is there in the backup alone.
        const isSameEvent =
          event === null ||
          other === undefined ||
          other.event === null ||
          (event.msgId === other.event.msgId && event.at === other.event.at)
        if (!isSame || !isSameEvent) throw wrong(`event ${number} is not the one of its node`)
        this.compared += 1
      }
      after = mine.next
    }
  }
}

function wrong(what: string): PropertyViolation {
  return new PropertyViolation('R21', `a backup is not what it says: ${what}`)
}
