import type { HttpResponse } from '../gateway/client-listener.ts'
import type { HttpCall } from '../http/route.ts'
import { adminProblemAnswer } from './admin-problem.ts'
import type { Call, ClusterCalls } from './cluster-calls.ts'
import { jsonAnswer } from './operator-call.ts'

/** Has an operation done wherever it must be, and answers with what it gave. */
export async function callAnswer(
  calls: ClusterCalls,
  { context }: HttpCall,
  call: Call,
): Promise<HttpResponse> {
  const answer = await calls.call(call)
  if ('problem' in answer) return adminProblemAnswer(answer.problem)
  return jsonAnswer(answer.result, context)
}
