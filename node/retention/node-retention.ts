import { ErasurePace, type ErasurePaceOptions } from './erasure-pace.ts'
import { Retention, type RetentionOptions } from './retention.ts'

export interface NodeRetentionOptions
  extends RetentionOptions, Pick<ErasurePaceOptions, 'needsEntry' | 'savesSpace'> {}

/** A node's part in retention: what a leader works out, and what every node does for its own disk. */
export class NodeRetention {
  /** What it did, for metrics. */
  readonly leading: Retention
  readonly #pace: ErasurePace
  readonly #options: NodeRetentionOptions

  constructor(options: NodeRetentionOptions) {
    this.#options = options
    const { clock, logger, needsEntry, savesSpace } = options
    this.leading = new Retention(options)
    this.#pace = new ErasurePace({
      clock,
      needsEntry,
      savesSpace,
      now: () => this.logTimeMs ?? 0,
      submit: (submission) => options.submit(submission, () => {}),
      onError: (error) => logger.warn('erasure.failed', { error }),
    })
  }

  /** Log time as a leader stamps it now; `null` but on the leader. */
  get logTimeMs(): number | null {
    return this.#options.leads() ? this.#options.now() : null
  }

  close(): void {
    this.leading.close()
    this.#pace.close()
  }
}
