import type { Clock, Timer } from '#cluster'
import type { DiskSpace, NodePorts } from './node-settings.ts'

const READ_EVERY_MS = 2_000

/** What the file system of the data has left, from memory: a disk that hangs holds nobody up. */
export class DiskGauge {
  readonly #clock: Clock
  #timer: Timer | null = null
  #closed = false
  /** As last read; `null`: not known. */
  space: DiskSpace | null = null

  constructor({ clock, diskSpace }: Pick<NodePorts, 'clock' | 'diskSpace'>, path: string) {
    this.#clock = clock
    if (diskSpace !== undefined) this.#read(() => diskSpace(path))
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #read(diskSpace: () => Promise<DiskSpace>): void {
    const took = (space: DiskSpace | null) => {
      this.space = space
      if (this.#closed) return
      this.#timer = this.#clock.after(READ_EVERY_MS, () => this.#read(diskSpace))
    }
    diskSpace().then(took, () => took(null))
  }
}
