import {
  type Clock,
  type ClusterNode,
  type Logger,
  type MemberChange,
  type MemberChangeRefusal,
  object,
  oneOf,
  type RaftId,
  text,
} from '#cluster'
import { handLeadershipOn } from '../hand-leadership-on.ts'
import { type AdminCode, type AdminProblem, adminProblem } from './admin-problem.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import type { ClusterView } from './cluster-view.ts'
import { configurationTag, membersView } from './members-view.ts'
import type { Operation, OperationResult } from './operation.ts'
import {
  type MemberReport,
  type Preflight,
  preflight,
  PREFLIGHT_ACTIONS,
  type PreflightRequest,
  type PreflightView,
} from './preflight.ts'
import { nullable, readParameters } from './read-parameters.ts'

/** How long the others may take to say how they are. */
const REPORT_MS = 1_000

export interface MemberParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly cluster: ClusterNode
  readonly fitness: (id: RaftId) => number
  view(): ClusterView
  calls(): ClusterCalls
}

const REQUEST = object<Required<PreflightRequest>>({
  action: oneOf(...PREFLIGHT_ACTIONS),
  node: nullable(text(255)),
  peer: nullable(text(1_024)),
  url: nullable(text(2_048)),
  instead: nullable(text(255)),
})

const CHANGE = object<ChangeParameters>({
  action: oneOf('add', 'remove', 'replace'),
  node: text(255),
  peer: nullable(text(1_024)),
  url: nullable(text(2_048)),
  instead: nullable(text(255)),
  ifMatch: nullable(text(64)),
})

interface ChangeParameters extends PreflightRequest {
  readonly action: 'add' | 'remove' | 'replace'
  readonly node: string
  /** `configuration` of the members that it is about. */
  readonly ifMatch: string | null
}

/** What the leader does about members, and what each node says of itself for it. */
export function memberOperations(parts: MemberParts): readonly Operation[] {
  const { cluster } = parts
  return [
    {
      ...{ name: 'node.view', at: 'node', isRepeatable: true },
      run: () => ({ result: parts.view() }),
    },
    {
      ...{ name: 'members.view', at: 'leader', isRepeatable: true },
      run: () => ({ result: membersView(cluster, parts.view()) }),
    },
    {
      ...{ name: 'members.preflight', at: 'leader', isRepeatable: true },
      run: async (given) => {
        const read = readParameters(given, REQUEST)
        if ('problem' in read) return read
        const state = await gather(parts)
        return state === null ? 'notLeader' : { result: preflight(state, read.parameters) }
      },
    },
    {
      // Asked again it begins nothing new.
      ...{ name: 'members.change', at: 'leader', isRepeatable: true },
      run: (given) => {
        const read = readParameters(given, CHANGE)
        return 'problem' in read ? read : change(parts, read.parameters)
      },
    },
  ]
}

async function change(parts: MemberParts, request: ChangeParameters): Promise<OperationResult> {
  const { cluster } = parts
  const state = await gather(parts)
  const replica = cluster.replica
  if (state === null || replica?.hasAuthority !== true) return 'notLeader'
  const { action, node, ifMatch } = request
  const isMember = state.view.members.some(({ name }) => name === node)
  // Done before, or by somebody else: there is nothing to judge.
  if (action === 'remove' && !isMember) return done(parts, null)
  const judged = preflight(state, request)
  if (judged.verdict === 'refuse') return { problem: refusalOf(judged) }
  // Taken in already, perhaps by the first copy of this very call: the members are others by that.
  if (judged.reasons.some(({ code }) => code === 'isMember')) return done(parts, judged)
  if (ifMatch !== null && ifMatch !== configurationTag(replica.configuration)) {
    const message = `the members are no longer those of ${ifMatch}: look at parley members again`
    return { problem: adminProblem('CONFIGURATION_CHANGED', message) }
  }
  const leads = state.view.members.some((one) => one.name === node && one.id === replica.raftId)
  if (action === 'remove' && leads) {
    // Whoever leads next removes this node. What is on its way already is not turned elsewhere.
    const isOnItsWay = state.transferTo !== null || handLeadershipOn(replica, parts.fitness)
    if (isOnItsWay) return 'notLeader'
  }
  const refused = cluster.changeMembers(changeOf(request))
  return refused === null ? done(parts, judged) : { problem: problemOf(refused) }
}

function done(parts: MemberParts, judged: Preflight | null): OperationResult {
  return { result: { preflight: judged, ...membersView(parts.cluster, parts.view()) } }
}

function changeOf({ action, node, peer, url }: ChangeParameters): MemberChange {
  if (action !== 'add') return { op: action, name: node }
  return { op: 'add', member: { name: node, peerAddress: peer ?? '', clientUrl: url ?? '' } }
}

/** What the leader knows, and what the others say of themselves; `null`: this node leads no more. */
async function gather(parts: MemberParts): Promise<PreflightView | null> {
  const { cluster } = parts
  const asked = parts.view().members
  const reports = new Map<string, MemberReport>()
  await Promise.all(
    asked.map(async ({ name, state }) => {
      if (state === 'unreachable') return
      const call = { operation: 'node.view', node: name, waitMs: REPORT_MS }
      const answer = await parts.calls().call(call)
      if ('result' in answer) reports.set(name, answer.result as MemberReport)
    }),
  )
  const replica = cluster.replica
  if (replica?.hasAuthority !== true) return null
  const view = parts.view()
  const { transferee } = replica.status()
  return {
    view,
    isChanging: !replica.configurationCommitted,
    transferTo: view.members.find(({ id }) => id === transferee)?.name ?? null,
    strangers: cluster.strangers().map(({ name }) => name),
    reports,
  }
}

/** A refusal in one sentence, with what to do. */
export function refusalOf({ reasons, next }: Preflight): AdminProblem {
  const refused = reasons.filter(({ level }) => level === 'refuse')
  const advice = next.length === 0 ? '' : `; next: ${next.join('; ')}`
  const message = `${refused.map(({ text: why }) => why).join('; ')}${advice}`
  const codes = refused.map(({ code }) => code)
  const code: AdminCode = codes.includes('unknownMember')
    ? 'UNKNOWN_MEMBER'
    : codes.some((one) => one === 'nameTaken' || one === 'addressTaken')
      ? 'NAME_TAKEN'
      : codes.every((one) => one === 'changeUnderWay' || one === 'transferUnderWay')
        ? 'CHANGE_PENDING'
        : 'UNSAFE'
  return adminProblem(code, message)
}

const CODES = {
  notLeader: 'CHANGE_PENDING',
  pending: 'CHANGE_PENDING',
  unsafe: 'UNSAFE',
  unknown: 'UNKNOWN_MEMBER',
  taken: 'NAME_TAKEN',
  tooMany: 'UNSAFE',
} as const satisfies Record<MemberChangeRefusal['code'], AdminCode>

function problemOf({ code, message }: MemberChangeRefusal): AdminProblem {
  return adminProblem(CODES[code], message)
}
