import { type AdminCall, adminPage } from '../cluster/admin-call.ts'
import { plainJson } from '../plain-text.ts'

export const LAG_BY = ['user', 'device', 'conversation'] as const
export type LagBy = (typeof LAG_BY)[number]

/** Of a user, one of his devices, or a conversation: what the kind has. */
export interface LagRow {
  readonly behind: number
  readonly oldestAt: number | null
  readonly user: string
  readonly device?: string
  readonly devices?: number
  readonly seenAgoMs?: number | null
  readonly conv?: string
  readonly kind?: string
  readonly head: number
  readonly memberCount?: number
  readonly waiting?: number
  readonly undelivered?: number
}

/** `GET /v1/cluster/lag`. */
export interface LagSurvey {
  readonly by: LagBy
  readonly rows: readonly LagRow[]
  readonly looked: number
  readonly total: number
  readonly isWhole: boolean
  readonly begunMs: number
  readonly endedMs: number
  readonly node: string
  readonly applied: number
}

/**
 * Asks one node, again and again until it has looked at all of them or `untilMs` (monotonic) is over:
 * a survey goes on only while somebody asks.
 *
 * @throws CliError
 */
export async function surveyLag(
  query: URLSearchParams,
  call: AdminCall & { readonly untilMs: number },
  onProgress: (survey: LagSurvey) => void,
): Promise<LagSurvey> {
  let { mark = null } = call
  for (;;) {
    const answer = await adminPage(`/v1/cluster/lag?${query.toString()}`, { ...call, mark })
    const survey = plainJson(answer.said) as LagSurvey
    if (survey.isWhole || performance.now() >= call.untilMs) return survey
    onProgress(survey)
    mark = answer.mark
  }
}
