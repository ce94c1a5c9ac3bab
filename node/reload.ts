import type { Logger } from '#cluster'

/** What an operator hears of a reload. Options are named as in a configuration file. */
export interface ReloadReport {
  /** Whether it was done: a configuration in which anything is wrong changes nothing. */
  readonly isApplied: boolean
  /** Options whose new values are in force. Files that they name are read anew in any case. */
  readonly changed: readonly string[]
  /** Options that say something else now, and are taken at the next start. */
  readonly needRestart: readonly string[]
  /** A sentence for each thing that is wrong. */
  readonly faults: readonly string[]
}

/** What was read anew, and what becomes of it once it is in force. */
export interface Reread<Options> extends Pick<ReloadReport, 'changed' | 'needRestart'> {
  readonly options: Options
  /** From now on this is what later rereads are compared with. */
  accept(): void
}

interface ReloaderParts<Options> {
  /** Reads everything again; changes nothing. */
  readonly reread: () => Promise<Reread<Options> | { readonly faults: readonly string[] }>
  /** Puts it in force, whole. @throws Error with a sentence if it cannot be: then nothing changed. */
  readonly apply: (options: Options) => Promise<void>
  readonly logger: Logger
}

/** What a node needs of it. */
export type NodeReloads = Pick<Reloader<never>, 'reload' | 'counts' | 'isRefused'>

/** Reloads one after the other; who asks while one waits for its turn gets the report of that one. */
export class Reloader<Options> {
  readonly #parts: ReloaderParts<Options>
  #running: Promise<ReloadReport> | null = null
  #next: Promise<ReloadReport> | null = null
  /** How many were applied, how many refused. */
  readonly counts = { applied: 0, refused: 0 }
  /** Whether the last one was refused: what is written is not what is in force. */
  isRefused = false

  constructor(parts: ReloaderParts<Options>) {
    this.#parts = parts
  }

  /** Never rejects. */
  reload(): Promise<ReloadReport> {
    if (this.#running === null) return this.#begin()
    this.#next ??= this.#running.then(() => {
      this.#next = null
      return this.#begin()
    })
    return this.#next
  }

  #begin(): Promise<ReloadReport> {
    this.#running = this.#reload()
    return this.#running
  }

  async #reload(): Promise<ReloadReport> {
    const report = await this.#report()
    this.#running = null
    this.isRefused = !report.isApplied
    this.counts[report.isApplied ? 'applied' : 'refused'] += 1
    this.#tell(report)
    return report
  }

  async #report(): Promise<ReloadReport> {
    const { reread, apply } = this.#parts
    const refused = (faults: readonly string[]): ReloadReport => {
      return { isApplied: false, changed: [], needRestart: [], faults }
    }
    try {
      const read = await reread()
      if ('faults' in read) return refused(read.faults)
      await apply(read.options)
      read.accept()
      return { isApplied: true, changed: read.changed, needRestart: read.needRestart, faults: [] }
    } catch (error) {
      return refused([(error as Error).message])
    }
  }

  #tell({ isApplied, changed, needRestart, faults }: ReloadReport): void {
    const { logger } = this.#parts
    if (isApplied) logger.info('config.reloaded', { changed, needRestart })
    else {
      const message = 'nothing was changed: mend the configuration and reload again'
      logger.error('config.refused', { faults, message })
    }
  }
}
