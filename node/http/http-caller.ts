import type { AnswerFrame, FailureFrame, RequestFrame } from '#protocol'
import { wireError } from '#protocol'
import type { Operation } from '../metrics/gateway-metrics.ts'
import type { Identity } from '../gateway/auth.ts'
import { roleRefusal } from '../gateway/role-refusal.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { PendingRequest, type Requester } from '../gateway/pending-request.ts'

/** Writes by HTTP are of this device: they have an order only if each waits for the one before. */
export const HTTP_DEVICE = 'http'

/** One HTTP call where handlers expect a session: its one request is answered, nothing is pushed. */
class HttpCaller implements Requester {
  readonly user: string
  readonly device = HTTP_DEVICE
  readonly #context: GatewayContext
  readonly #resolve: (answer: AnswerFrame | FailureFrame) => void

  constructor(
    user: string,
    context: GatewayContext,
    resolve: (answer: AnswerFrame | FailureFrame) => void,
  ) {
    this.user = user
    this.#context = context
    this.#resolve = resolve
  }

  read(request: PendingRequest<Requester>, read: () => Promise<void>): void {
    read().catch((error: unknown) => {
      this.#context.logger.error('read.failed', { request: request.type, error })
      request.fail(wireError('INTERNAL', 'The node failed to read. See its log.'))
    })
  }

  writeStarted(): void {}

  writeSettled(): void {}

  pulled(): void {}

  answered(request: PendingRequest<Requester>, answer: AnswerFrame | FailureFrame): void {
    const { metrics, clock } = this.#context
    const operation = request.type.slice(0, -2) as Operation
    metrics.requestAnswered(operation, 'error' in answer ? answer.error.code : 'OK')
    metrics.requestDuration[operation].observe((clock.monotonicMs() - request.startedMs) / 1000)
    this.#resolve(answer)
  }
}

/** Has the handler of a frame answer it for who calls: HTTP and WebSocket follow the same rules. */
export function ask<F extends RequestFrame>(
  handler: (request: PendingRequest<Requester>, frame: F, context: GatewayContext) => void,
  frame: F,
  { user, role }: Identity,
  context: GatewayContext,
): Promise<AnswerFrame | FailureFrame> {
  return new Promise((resolve) => {
    const caller = new HttpCaller(user, context, resolve)
    const request = new PendingRequest(caller, frame, context.clock.monotonicMs())
    const refusal = roleRefusal(role, frame)
    if (refusal === null) handler(request, frame, context)
    else request.fail(refusal)
  })
}
