import type { BackupManifest } from '../../node/backup/backup-manifest.ts'
import { restore } from '../../node/backup/restore.ts'
import { formatMark } from '../../node/gateway/mark.ts'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { History, WireEvent } from '../history/history.ts'
import { Prng } from '../prng.ts'
import { type Frame, SimSession } from '../workload/sim-session.ts'
import type { Scenario } from './scenario.ts'
import { SimClock, simRandom } from './sim-clock.ts'
import { SimProcess } from './sim-process.ts'
import { SimWorld } from './sim-world.ts'

/** A backup of a run, and what was known of it when it was asked for. */
export interface RunBackupFile {
  readonly manifest: BackupManifest
  readonly pieces: readonly Uint8Array[]
  /** The newest seq that anybody had been told of by then, by conversation. */
  readonly heads: ReadonlyMap<string, number>
}

const DATA = '/data'
const SEGMENT_BYTES = 64 * 1024
const PATIENCE_MS = 60_000
const AGAIN_MS = 100

/**
 * R24: a backup is restored as a new cluster of one, in a world of its own. Whoever comes back to it with
 * a mark of the old cluster is told another epoch, finds each event as it was, and goes on writing.
 */
export class RunRestore {
  readonly #scenario: Scenario
  readonly #history: History
  readonly #file: RunBackupFile
  readonly #world: SimWorld
  readonly #prng: Prng
  /** Events that were found again. */
  found = 0

  constructor(scenario: Scenario, history: History, file: RunBackupFile) {
    this.#scenario = scenario
    this.#history = history
    this.#file = file
    this.#prng = new Prng(`${scenario.seed}/restore`)
    const { link, profile } = scenario
    this.#world = new SimWorld(this.#prng.split('world'), { nodes: 1, link, profile })
    this.#world.keepNotes = 0
  }

  /** What is wrong with it, if anything. */
  async perform(): Promise<PropertyViolation | null> {
    const epoch = await this.#restore()
    if (this.#world.violation !== null) return this.#world.violation
    const { manifest } = this.#file
    if (epoch === manifest.epoch) return wrong(`it has the epoch of the old one, ${epoch}`)
    const [node] = this.#world.nodes
    node!.start()
    await this.#until(() => node!.parley?.replica?.hasAuthority === true, 'it has no leader')
    await this.#come(epoch)
    return this.#world.violation
  }

  async #restore(): Promise<string> {
    const [node] = this.#world.nodes
    const { name, peerAddress, clientAddress, platter, databases } = node!
    const { scheduler } = this.#world
    const machine = new SimProcess(scheduler, {
      ...{ number: 0, host: name },
      onFault: (error) => this.#fail(`the restore failed: ${error.message}`),
    })
    const options = { rate: 1, latenessMs: 0, lookMs: 0 }
    const target = { name, peerAddress, clientUrl: `http://${clientAddress}`, directory: DATA }
    const { pieces, manifest } = this.#file
    let epoch: string | null = null
    restore({
      ports: {
        segmentBytes: SEGMENT_BYTES,
        fileSystem: platter.portOf(machine),
        databases: databases.portOf(machine),
        random: simRandom(this.#prng.split('random')),
        clock: new SimClock({
          ...{ scheduler, process: machine, prng: this.#prng.split('clock'), options },
          wall: { offsetMs: 0 },
        }),
      },
      file: async function* () {
        yield* pieces
      },
      manifest,
      targets: [target],
    }).then(
      (restored) => (epoch = restored.epoch),
      (error: Error) => this.#fail(`the restore failed: ${error.stack}`),
    )
    await this.#until(() => epoch !== null, 'the restore does not end')
    machine.die()
    return epoch ?? ''
  }

  /** A client of the old cluster, which knows nothing of a restore. */
  async #come(epoch: string): Promise<void> {
    const { devices } = this.#scenario
    const [node] = this.#world.nodes
    const { manifest, heads } = this.#file
    const { scheduler, clients } = this.#world
    let told: unknown = null
    const session: SimSession = new SimSession(
      { ...devices[0]!, device: 'returned', addresses: [node!.clientAddress] },
      { scheduler, clients, prng: this.#prng.split('client') },
      { onGreeted: (answer) => (told ??= answer['epoch']), onNotice: () => undefined },
    )
    session.resumeFrom(manifest.epoch, formatMark(manifest.epoch, manifest.index + 1))
    session.start()
    await this.#until(() => told !== null, 'a client with a mark of the old one is not let in')
    if (told === manifest.epoch || told !== epoch) {
      this.#fail(`a client with a mark of the old one is told the epoch ${String(told)}`)
    }
    let missing = heads.size
    for (const [conv, head] of heads) {
      this.#read(session, conv, [], (events) => {
        this.#compare(conv, head, events)
        missing -= 1
      })
    }
    await this.#until(() => missing === 0, 'what it holds is not handed out')
    session.stop()
  }

  #read(
    session: SimSession,
    conv: string,
    before: readonly WireEvent[],
    done: (events: readonly WireEvent[]) => void,
  ): void {
    const after = before.at(-1)?.seq ?? 0
    session.request({ t: 'pull:R', conv, after, limit: 100 }, (answer: Frame | null) => {
      if (answer === null || answer['error'] !== undefined) {
        const again = () => this.#read(session, conv, before, done)
        this.#world.scheduler.after(AGAIN_MS, null, again)
        return
      }
      const events = [...before, ...(answer['events'] as WireEvent[])]
      if (answer['hasMore'] === true) this.#read(session, conv, events, done)
      else done(events)
    })
  }

  #compare(conv: string, head: number, events: readonly WireEvent[]): void {
    const last = events.at(-1)?.seq ?? 0
    if (last < head) this.#fail(`${conv} ends at ${last}, and somebody had been told of ${head}`)
    const old = this.#history.finals.find((final) => final.conv === conv)?.events ?? []
    for (const [at, { seq, msgId }] of events.entries()) {
      const same = old[at]?.seq === seq && old[at].msgId === msgId
      if (!same) this.#fail(`${conv} has ${msgId} at ${seq}, and not what stood there`)
      this.found += 1
    }
  }

  async #until(done: () => boolean, otherwise: string): Promise<void> {
    const { scheduler } = this.#world
    const isOver = () => this.#world.violation !== null
    await scheduler.run(scheduler.nowMs + PATIENCE_MS, () => isOver() || done())
    if (!done()) this.#fail(`${otherwise}, within ${PATIENCE_MS} ms`)
  }

  #fail(what: string): void {
    this.#world.fail(wrong(what))
  }
}

function wrong(what: string): PropertyViolation {
  return new PropertyViolation('R24', `a cluster restored from a backup is not its own: ${what}`)
}
