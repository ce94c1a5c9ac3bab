import { longDuration } from '../duration.ts'
import type { Check } from './check.ts'

const names = (nodes: readonly { readonly name: string }[]): string =>
  nodes.map(({ name }) => name).join(', ')

/** Whether the cluster can decide at all, and how much it can lose. */
export const QUORUM_CHECKS: readonly Check[] = [
  {
    id: 'no-answer',
    severity: 'critical',
    title: 'no node answers',
    runbook: 'parleynodedown',
    find: ({ status }) =>
      status.view !== null
        ? []
        : [{ node: null, evidence: status.sentence, next: 'parley status --url http://NODE:PORT' }],
  },
  {
    id: 'not-formed',
    severity: 'critical',
    title: 'the cluster never formed',
    runbook: 'parleynodenotready',
    find: ({ status, nodes }) => {
      if (status.view === null || status.clusterId !== '') return []
      const silent = status.nodes.filter(({ up }) => !up)
      const evidence = `${nodes.length} of ${status.nodes.length} initial members answer`
      const missing = silent.length === 0 ? '' : `; ${names(silent)} do not`
      return [
        {
          node: null,
          evidence: `${evidence}${missing}`,
          next: 'start every initial member, each with the same --initial-members',
        },
      ]
    },
  },
  {
    id: 'no-quorum',
    severity: 'critical',
    title: 'too few voters for a majority: no write is accepted',
    runbook: 'parleyquorumlost',
    find: ({ status }) => {
      if (status.canLose >= 0 || status.view === null || status.clusterId === '') return []
      const voters = status.nodes.filter(({ role }) => role === 'voter')
      const missing = voters.filter(({ up, state }) => !up || state === 'stranger')
      const majority = Math.floor(voters.length / 2) + 1
      return [
        {
          node: null,
          evidence: `${majority + status.canLose} of ${voters.length} voters are there, ${majority} are needed; missing: ${names(missing) || 'connections between them'}`,
          next: `bring back ${-status.canLose} of ${names(missing) || 'them'} with their own data directories`,
        },
      ]
    },
  },
  {
    id: 'no-leader',
    severity: 'critical',
    title: 'a majority is there and has no leader',
    runbook: 'parleynoleader',
    find: ({ status, nodes }) => {
      if (status.leader !== null || status.canLose < 0 || status.clusterId === '') return []
      const without = nodes.filter(({ view }) => view.leader === null)
      const longest = Math.max(0, ...without.map(({ view }) => view.leaderForMs ?? 0))
      return [
        {
          node: null,
          evidence: `no node leads term ${status.term}; ${names(without) || 'nobody'} know none, for up to ${longDuration(longest)}`,
          next: 'parley doctor, again in two seconds; then look at the links between the nodes',
        },
      ]
    },
  },
  {
    id: 'single-member',
    severity: 'warning',
    title: 'one voter: what is acknowledged is on one disk only',
    runbook: 'parleyquorumatrisk',
    find: ({ status, members }) =>
      status.clusterId !== '' && voterCount(members) === 1
        ? [
            {
              node: null,
              evidence: '1 voter, 0 may be lost',
              next: 'parley members add NAME --peer HOST:PORT --url URL, twice',
            },
          ]
        : [],
  },
  {
    id: 'even-voters',
    severity: 'warning',
    title: 'an even number of voters bears no more losses than one less',
    runbook: 'parleyquorumatrisk',
    find: ({ status, members }) => {
      const voters = voterCount(members)
      if (status.clusterId === '' || voters === 0 || voters % 2 === 1) return []
      const evidence = `${voters} voters, ${voters / 2 - 1} may be lost: as many as of ${voters - 1}`
      return [{ node: null, evidence, next: 'parley members add or remove one' }]
    },
  },
  {
    id: 'leader-flapping',
    severity: 'warning',
    title: 'leadership moves again and again',
    runbook: 'parleyleaderchanges',
    find: ({ nodes }) => {
      const most = nodes.toSorted((a, b) => changes(b.view) - changes(a.view))[0]
      if (most === undefined || changes(most.view) < 5) return []
      return [
        {
          node: null,
          evidence: `${most.name} saw ${changes(most.view)} leaders in the last 15 minutes`,
          next: 'look at the slow disk, late event loop or link that this report names beside it',
        },
      ]
    },
  },
]

const voterCount = (members: readonly { readonly role: string }[]): number =>
  members.filter(({ role }) => role === 'voter').length

const changes = ({ recentLeaders = 0 }: { readonly recentLeaders?: number }): number =>
  recentLeaders
