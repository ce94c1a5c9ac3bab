import { answerTypeOf, type ProtocolError, type ServerFrame, wireError } from '#protocol'

/** A refusal as the answer of its request, or as `error:N` where none can be told. */
export function failureOf(error: ProtocolError): ServerFrame {
  const refusal = wireError(error.code, error.message)
  const { id, frameType } = error
  return id !== null && frameType !== null && frameType.endsWith(':R')
    ? { t: answerTypeOf(frameType), id, error: refusal }
    : { t: 'error:N', error: refusal }
}
