import { Prng } from '../../prng.ts'
import { type ClockFaults, SimClock } from '../sim-clock.ts'
import { SimDatabases } from '../sim-database.ts'
import { SimDisk } from '../sim-disk.ts'
import { SimNetwork } from '../sim-network.ts'
import { SimProcess } from '../sim-process.ts'
import { SimScheduler } from '../sim-scheduler.ts'

const QUIET_LINK = {
  delayMs: 1,
  jitterMs: 1,
  lossShare: 0,
  corruptShare: 0,
  splitShare: 0.2,
}

/** A machine without a node, in a world whose time passes by itself until `end`. */
export class TestWorld {
  readonly scheduler = new SimScheduler()
  readonly prng: Prng
  readonly network: SimNetwork
  readonly disk: SimDisk
  readonly databases: SimDatabases
  process: SimProcess
  #ended = false
  #processes = 0

  constructor(seed: number | string) {
    this.prng = new Prng(seed)
    this.network = new SimNetwork(this.scheduler, this.prng.split('network'), QUIET_LINK)
    this.disk = new SimDisk(this.scheduler, this.prng.split('disk'), {
      operationMs: 0.1,
      syncMs: [0.1, 2],
      inlineShare: 0.5,
      capacityBytes: Infinity,
    })
    this.databases = new SimDatabases(this.scheduler, this.prng.split('database'), {
      readMs: 1,
      writeMs: 2,
    })
    this.process = this.newProcess('machine')
    void this.#pass()
  }

  newProcess(host: string): SimProcess {
    return new SimProcess(this.scheduler, {
      number: ++this.#processes,
      host,
      onFault: (error) => {
        throw error
      },
    })
  }

  clock(process = this.process, faults?: ClockFaults): SimClock {
    return new SimClock({
      scheduler: this.scheduler,
      process,
      prng: this.prng.split('clock'),
      wall: { offsetMs: 0 },
      ...(faults === undefined ? {} : { faults }),
      options: { rate: 1, latenessMs: 0.1, lookMs: 0 },
    })
  }

  /** The process ends, the machine stays on or not, and a new process begins. */
  crash(how: 'kill' | 'power'): void {
    const { process } = this
    process.die()
    if (how === 'kill') this.disk.kill(process)
    else this.disk.powerCut(process)
    this.databases.crash(process)
    if (how === 'power') {
      this.databases.keepOnly((path) => this.disk.tree.directory(path) !== undefined)
    }
    this.process = this.newProcess('machine')
  }

  end(): void {
    this.#ended = true
  }

  async #pass(): Promise<void> {
    while (!this.#ended) {
      await this.scheduler.run(this.scheduler.nowMs + 100)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
