import { relative } from 'node:path'
import { ExitCode } from '../exit-codes.ts'
import { table } from '../output.ts'
import type { ActionResult, DevEvent } from './dev-events.ts'

/** What a person reads where a program reads JSON. */
export function describeEvent(event: DevEvent): string {
  switch (event.event) {
    case 'ready':
      return table(
        ['NODE', 'URL', 'PID', ''],
        event.nodes.map(({ id, url, pid }) => [
          id,
          url,
          String(pid),
          id === event.leader ? `leader (term ${event.term})` : '',
        ]),
      )
    case 'leader':
      return event.leader === null ? 'no leader' : `${event.leader} leads (term ${event.term})`
    case 'started':
      return `${event.node} started (pid ${event.pid})`
    case 'paused':
    case 'resumed':
      return `${event.node} ${event.event}`
    case 'partitioned':
      return describeCut(event)
    case 'healed':
      return `${event.nodes.join(', ')} joined to all others again`
    case 'exit': {
      const how = event.signal ?? `exit code ${event.code}`
      const unasked = event.expected ? '' : ` by itself: ${remedyFor(event.code)}`
      return `${event.node} ended${unasked} (pid ${event.pid}, ${how})`
    }
    case 'stopping':
      return 'stopping: nodes drain …'
    case 'stopped':
      return 'stopped; the data is kept'
  }
}

function remedyFor(code: number | null): string {
  return code === ExitCode.unhealthy
    ? 'what it has on disk is damaged; the end of its log says what to do'
    : 'see its log; bring it back with "start"'
}

/** Shown once under the table of nodes. */
export function describeNextSteps(directory: string, hasKeys: boolean): string {
  return [
    '',
    'Talk, in two other terminals:',
    '  npx parley tail --as bob',
    '  npx parley send --as alice --to bob "hi"',
    '',
    'Then break it:',
    '  npx parley dev kill leader',
    '',
    `Data and logs are in ${relative(process.cwd(), directory) || directory}; Ctrl-C stops the cluster and keeps them.`,
    ...(hasKeys ? [`Keys: ${KEY_HELP}`] : []),
  ].join('\n')
}

export const KEY_HELP =
  'k kill · t stop · p pause · c cut off the leader · r resume · s start what is down · h heal cuts · l list · ? help · q quit'

const NO_LEADER = 'no new leader: too few nodes are up; "parley dev start" brings them back'
const NO_MAJORITY =
  'no new leader: too few nodes reach each other; "parley dev heal" joins them again'

const DONE = {
  kill: 'killed',
  stop: 'stopped',
  start: 'started',
  pause: 'paused',
  resume: 'resumed',
  partition: 'cut off',
  heal: 'joined again',
}

/** The whole of it, for who asked from elsewhere. */
export function describeResult(result: ActionResult): string {
  if (!result.ok) return result.message
  const nodes = result.nodes.map(({ id, pid }) => (pid === null ? id : `${id} (pid ${pid})`))
  const news = describeNews(result)
  const from = result.from === undefined ? '' : ` from ${result.from.join(', ')}`
  const how = result.oneWay === true ? ', whom they still hear' : ''
  return `${DONE[result.action]} ${nodes.join(', ')}${from}${how}${news === '' ? '' : `; ${news}`}`
}

function describeCut({ nodes, from, oneWay }: Extract<DevEvent, { event: 'partitioned' }>): string {
  const [some, others] = [nodes.join(', '), from.join(', ')]
  return oneWay ? `${some} not heard any more by ${others}` : `${some} cut off from ${others}`
}

/** What the events that `describeEvent` tells do not say already; may be empty. */
export function describeNews(result: ActionResult): string {
  if (!result.ok) return result.message
  const parts: string[] = []
  if (result.remark !== undefined) parts.push(result.remark)
  if (result.newLeader === null) {
    parts.push(result.action === 'partition' ? NO_MAJORITY : NO_LEADER)
  }
  if (typeof result.newLeader === 'string') {
    const after = result.leaderAfterMs === undefined ? '' : ` after ${result.leaderAfterMs} ms`
    parts.push(`${result.newLeader} leads${after}`)
  }
  return parts.join('; ')
}
