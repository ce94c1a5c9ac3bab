import { integer, object, oneOf, PeerProtocolError, readJson, text } from '#cluster'
import type { AdminProblem } from './admin-problem.ts'

/** Of the parameters of a call and of an answer, as JSON text in UTF-16 units. */
export const MAX_PARAMETERS_LENGTH = 64 << 10
export const MAX_ANSWER_LENGTH = 256 << 10
/** How long anybody may wait for an answer. */
export const MAX_WAIT_MS = 120_000

const U32 = integer(0, 2 ** 32 - 1)

/** A call of an operation on another node. */
export interface CallFrame {
  /** Tells the lives of the calling node apart. */
  readonly origin: number
  readonly id: number
  readonly operation: string
  /** JSON, for the operation to read. */
  readonly parameters: string
  /** How long the caller still waits. */
  readonly waitMs: number
}

export interface AnswerFrame {
  readonly origin: number
  readonly id: number
  readonly outcome: 'result' | 'problem' | 'notLeader'
  /** JSON: what the operation gave, or an `AdminProblem`. */
  readonly body: string
}

const CALL = object<CallFrame>({
  origin: U32,
  id: U32,
  operation: text(64),
  parameters: text(MAX_PARAMETERS_LENGTH),
  waitMs: integer(0, MAX_WAIT_MS),
})

const ANSWER = object<AnswerFrame>({
  origin: U32,
  id: U32,
  outcome: oneOf('result', 'problem', 'notLeader'),
  body: text(MAX_ANSWER_LENGTH),
})

const PROBLEM = object<AdminProblem>({
  code: text(64),
  status: integer(400, 599),
  message: text(8_192),
  retryable: (value) => value === true,
  outcome: oneOf('notApplied', 'unknown'),
})

/** @throws PeerProtocolError */
export function decodeCall(body: Uint8Array): CallFrame {
  return readJson(body, CALL, malformed('a call'))
}

/** @throws PeerProtocolError also if what it carries is no JSON object */
export function decodeAnswer(body: Uint8Array): AnswerFrame {
  const answer = readJson(body, ANSWER, malformed('an answer'))
  if (answer.outcome === 'problem') problemIn(answer.body)
  if (answer.outcome === 'result') resultIn(answer.body)
  return answer
}

/** @throws PeerProtocolError */
export function problemIn(body: string): AdminProblem {
  return readJson(new TextEncoder().encode(body), PROBLEM, malformed('a problem'))
}

/** @throws PeerProtocolError */
export function resultIn(body: string): object {
  return readJson(new TextEncoder().encode(body), anyObject, malformed('a result'))
}

function anyObject(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new PeerProtocolError('a result of a call is no object')
}

function malformed(what: string): (why: string) => PeerProtocolError {
  return (why) => new PeerProtocolError(`${what} of an operator is malformed: ${why}`)
}
