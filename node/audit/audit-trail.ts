import { type Clock, counterCells, type Logger } from '#cluster'
import { type AuditSink, logSink } from './audit-sink.ts'

/** What is known of a call when it has ended. */
export interface AuditedCall {
  /** `operationId` of the route. */
  readonly operation: string
  readonly method: string
  /** As called, without the query. */
  readonly path: string
  /** Of query and body: names, numbers and short texts. */
  readonly details: Readonly<Record<string, unknown>>
  /** `null`: nobody was let in, or needed no token. */
  readonly user: string | null
  readonly token: string | null
  /** `address:port` */
  readonly remote: string
  /** Of the answer. */
  readonly status: number
  readonly code: string | null
}

/** Callers that were turned away: so many a minute leave a line. */
const MOST_REFUSED = 60
const MINUTE_MS = 60_000

/** Writes what operators did, a line of JSON each. */
export class AuditTrail {
  readonly records = counterCells('written', 'failed')
  readonly #sink: AuditSink
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #node: string
  #isBroken = false
  #minute = 0
  #refused = 0
  #left = 0

  /** Into the file of an operator, or where he named none among the lines of the log. */
  static of(
    node: string,
    { clock, audit }: { readonly clock: Clock; readonly audit?: AuditSink },
    logger: Logger,
  ): AuditTrail {
    return new AuditTrail({ node, sink: audit ?? logSink(logger), clock, logger })
  }

  constructor(parts: {
    readonly node: string
    readonly sink: AuditSink
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#node = parts.node
    this.#sink = parts.sink
    this.#clock = parts.clock
    this.#logger = parts.logger
  }

  /** Whether a line can be written, as far as anybody knows: asked before anything is done (AU2). */
  async isReady(): Promise<boolean> {
    if (!this.#isBroken) return true
    try {
      await this.#sink.reopen()
      this.#isBroken = false
    } catch (error) {
      this.#failed(error)
    }
    return !this.#isBroken
  }

  /** Whether the line is on disk. Of those turned away not every one needs to be. Never rejects. */
  async record(call: AuditedCall): Promise<boolean> {
    if ((call.status === 401 || call.status === 403) && !this.#mayTellOfRefused()) return true
    const left = this.#left
    this.#left = 0
    const { details, ...said } = call
    const line = JSON.stringify({
      time: new Date(this.#clock.wallMs()).toISOString(),
      node: this.#node,
      event: 'audit',
      ...said,
      ...(Object.keys(details).length === 0 ? {} : { details }),
      ...(left === 0 ? {} : { leftOut: left }),
    })
    try {
      await this.#sink.write(line)
      this.records.written.add()
      return true
    } catch (error) {
      this.#left += left
      this.#isBroken = true
      this.#failed(error)
      return false
    }
  }

  #mayTellOfRefused(): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / MINUTE_MS)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#refused = 0
    }
    this.#refused += 1
    if (this.#refused <= MOST_REFUSED) return true
    this.#left += 1
    return false
  }

  #failed(error: unknown): void {
    this.records.failed.add()
    const message = 'operators can change nothing on this node until the audit log can be written'
    this.#logger.error('audit.failed', { error, message })
  }
}
