import { type AnswerFrame, encodeFrame, type FailureFrame } from '#protocol'
import { problemOf } from '../gateway/problem.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { formatMark } from '../gateway/mark.ts'

/** Carries the mark (rule B2): clients keep the newest and give it back in the same header. */
export const MARK_HEADER = 'parley-mark'

/** The answer to a frame as the answer to a call: its fields without `t` and `id`. */
export function answerOf(
  answer: AnswerFrame | FailureFrame,
  status: (answer: AnswerFrame) => number,
  context: GatewayContext,
): HttpResponse {
  if ('error' in answer) return problemOf(answer.error)
  const prefix = `{"t":"${answer.t}","id":1`
  const fields = encodeFrame(answer, 'parley.v1.json').slice(prefix.length)
  return {
    status: status(answer),
    contentType: 'application/json',
    body: `{${fields.replace(/^,/, '')}\n`,
    headers: markHeader(context),
  }
}

/** Of the state as it is now: at least what the answer shows. */
export function markHeader({ backend }: GatewayContext): Record<string, string> {
  return { [MARK_HEADER]: formatMark(backend.epoch, backend.state.appliedIndex) }
}
