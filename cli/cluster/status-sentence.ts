import { longDuration } from '../duration.ts'
import type { NodeStatus, Verdict } from './cluster-status.ts'

export interface StatusFacts {
  readonly verdict: Verdict
  readonly nodes: readonly NodeStatus[]
  readonly leader: string | null
  readonly leaderForMs: number | null
  readonly term: number
  readonly canLose: number
  readonly upVoters: number
  readonly majority: number
  readonly isFormed: boolean
}

/** The verdict and its cause in one line. */
export function sentence(facts: StatusFacts): string {
  const { verdict, leader, leaderForMs, term, canLose } = facts
  const lasting = leaderForMs === null ? '' : ` for ${longDuration(leaderForMs)}`
  const led = `leader ${leader}${lasting} · term ${term}`
  switch (verdict) {
    case 'healthy':
      return `HEALTHY · can lose ${count(canLose)} · ${led}`
    case 'degraded':
      return [
        'DEGRADED',
        ...troubles(facts),
        `writes go on, can lose ${canLose === 0 ? 'no' : count(canLose)} more`,
        led,
      ].join(' · ')
    case 'unavailable':
      return ['UNAVAILABLE', cause(facts), ...troubles(facts)].join(' · ')
  }
}

/** What to do about it, a sentence each. */
export function nextSteps({ verdict, nodes, isFormed, canLose }: StatusFacts): string[] {
  if (verdict === 'healthy') return []
  if (!isFormed) {
    return [
      'start every initial member with the same --initial-members; then they form by themselves',
    ]
  }
  const steps: string[] = []
  const down = nodes.filter(({ state, notes }) => state === 'down' && notes.length === 0)
  if (down.length > 0) {
    const names = down.map(({ name }) => name).join(', ')
    steps.push(
      canLose < 0
        ? `bring back one of ${names} with its own data directory: with a majority writes go on by themselves, and nothing acknowledged is lost`
        : `start ${names} again with the same data directory; the end of its log says why it ended`,
    )
  }
  return [...steps, 'parley doctor says more']
}

function cause({ canLose, upVoters, majority, term, isFormed }: StatusFacts): string {
  if (!isFormed) return 'not formed yet: every initial member has to be reached once'
  return canLose < 0
    ? `no quorum: ${upVoters} of the ${majority} voters needed answer`
    : `no leader in term ${term}`
}

function troubles({ nodes }: StatusFacts): string[] {
  return nodes.flatMap(({ name, up, ready, reasons, notes }) => {
    const said = [...reasons, ...notes]
    if (ready && said.length === 0) return []
    return up ? `${name}: ${said.join(', ') || 'not ready'}` : `${name} ${said.join(', ')}`
  })
}

function count(nodes: number): string {
  return nodes === 0 ? 'no node' : nodes === 1 ? '1 node' : `${nodes} nodes`
}
