import { longDuration } from '../duration.ts'
import { table } from '../output.ts'
import { plainText } from '../plain-text.ts'
import type { NodeLag } from './node-lag.ts'
import type { LagBy, LagRow, LagSurvey } from './survey-lag.ts'

/** For people. `survey` is `null` of what was kept in a bundle. */
export function lagText(
  nodes: readonly NodeLag[],
  survey: LagSurvey | null,
  nowMs: number,
): string {
  const columns = ['NODE', 'REPLICA LAG', 'APPLY LAG', 'STATE AGE', 'NOTE']
  const lines = [table(columns, nodes.map(nodeRow))]
  if (survey !== null) lines.push('', ...surveyText(survey, nowMs))
  return lines.join('\n')
}

function nodeRow({ node, replica, apply, stateAgeMs, notes }: NodeLag): string[] {
  const age = stateAgeMs === null ? '-' : longDuration(stateAgeMs)
  return [node, numberText(replica), numberText(apply), age, notes.join(', ')].map((text) =>
    plainText(text),
  )
}

const numberText = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : String(value)

const LOOKED_AT: Readonly<Record<LagBy, string>> = {
  user: 'users',
  device: 'users',
  conversation: 'conversations',
}

function surveyText(survey: LagSurvey, nowMs: number): string[] {
  const { by, rows, looked, total, isWhole, node, applied } = survey
  const of = isWhole ? `all ${total}` : `only ${looked} of ${total}`
  const what = `${by}s furthest behind · ${of} ${LOOKED_AT[by]} looked at · as ${node} has applied it, up to ${applied}`
  if (rows.length === 0) return [what, '', `no ${by} is behind`]
  const { columns, row } = SHAPES[by]
  return [
    what,
    '',
    table(
      columns,
      rows.map((one) => row(one, nowMs)),
    ),
  ]
}

interface Shape {
  readonly columns: readonly string[]
  readonly row: (row: LagRow, nowMs: number) => string[]
}

const oldest = ({ oldestAt }: LagRow, nowMs: number): string =>
  oldestAt === null ? 'kept no more' : longDuration(Math.max(0, nowMs - oldestAt))

const seen = ({ seenAgoMs = null }: LagRow): string =>
  seenAgoMs === null ? 'never' : `${longDuration(seenAgoMs)} ago`

const SHAPES: Readonly<Record<LagBy, Shape>> = {
  user: {
    columns: ['USER', 'BEHIND', 'OLDEST', 'DEVICES', 'SEEN'],
    row: (one, nowMs) => [
      ...[one.user, String(one.behind), oldest(one, nowMs), numberText(one.devices), seen(one)],
    ],
  },
  device: {
    columns: ['USER', 'DEVICE', 'BEHIND', 'OLDEST', 'SEEN'],
    row: (one, nowMs) => [
      ...[one.user, one.device ?? '-', String(one.behind), oldest(one, nowMs), seen(one)],
    ],
  },
  conversation: {
    columns: ['CONVERSATION', 'KIND', 'MEMBERS', 'WAITING', 'BEHIND', 'MOST', 'TOGETHER', 'OLDEST'],
    row: (one, nowMs) => [
      ...[one.conv ?? '-', one.kind ?? '-', numberText(one.memberCount), numberText(one.waiting)],
      ...[String(one.behind), one.user, numberText(one.undelivered), oldest(one, nowMs)],
    ],
  },
}
