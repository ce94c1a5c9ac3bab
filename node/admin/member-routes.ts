import type { HttpResponse } from '../gateway/client-listener.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, JsonSchema, ParameterDoc, Route } from '../http/route.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { memberFault } from './member-address.ts'
import { ADMIN_PROBLEMS, BODY_PROBLEMS, invalid, NODE_PARAMETER } from './operator-call.ts'

/** Long enough for a leader that has to hand leadership on first. */
const CHANGE_MS = 15_000

const IF_MATCH: ParameterDoc = {
  name: 'If-Match',
  in: 'header',
  description: 'Only if the members still are those of this `configuration`.',
  schema: { type: 'string' },
}
const NO_LEADER = { 503: 'Nobody leads, or it is unknown whether it was done.' } as const
const REFUSALS = {
  409: 'A safety check refused it, or another change is not done: `detail` says which.',
  412: 'The members are others by now.',
  ...NO_LEADER,
} as const

const MEMBERS: JsonSchema = {
  type: 'object',
  required: ['leader', 'term', 'configuration', 'isChanging', 'asked', 'strangers', 'members'],
  properties: {
    leader: { type: 'string' },
    configuration: { type: 'string', description: 'Names these members, for `If-Match`.' },
    isChanging: { type: 'boolean', description: 'A change is not committed.' },
    asked: { type: 'array', items: { type: 'string' }, description: 'Wait for an empty node.' },
    strangers: { type: 'array', items: { type: 'string' }, description: 'Empty nodes that ask.' },
    members: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          role: { enum: ['voter', 'learner'] },
          phase: { enum: ['votes', 'unreachable', 'snapshot', 'catchingUp'] },
          lag: { type: ['integer', 'null'] },
          snapshotBytes: { type: ['integer', 'null'] },
          stuckMs: { type: 'integer' },
        },
      },
    },
  },
}

const ok = (description: string) => ({ 200: { description, schema: MEMBERS } })

/** Who belongs to the cluster, and what changes it; any node takes these. */
export function memberRoutes(calls: ClusterCalls): readonly Route[] {
  const change: Change = (call, parameters) => {
    const ifMatch = call.request.header('if-match')?.replaceAll('"', '') ?? null
    const request = { ...parameters, ifMatch }
    const to = { operation: 'members.change', parameters: request, waitMs: CHANGE_MS }
    return callAnswer(calls, call, to)
  }
  return [viewRoute(calls), additionRoute(change), removalRoute(change), replacementRoute(change)]
}

type Change = (call: HttpCall, parameters: object) => Promise<HttpResponse>

function viewRoute(calls: ClusterCalls): Route {
  return {
    method: 'GET',
    path: '/v1/cluster/members',
    doc: {
      operationId: 'members',
      summary: 'The members as their leader sees them, and how far new ones have come',
      role: 'admin',
      answers: ok('As the leader knows it now.'),
      problems: { ...ADMIN_PROBLEMS, ...NO_LEADER },
    },
    answer: (call) => callAnswer(calls, call, { operation: 'members.view' }),
  }
}

function additionRoute(change: Change): Route {
  return {
    method: 'POST',
    path: '/v1/cluster/members',
    doc: {
      operationId: 'addMember',
      summary: 'Has a new node taken in once it answers: learner, caught up, then a vote',
      description: 'Asked again it begins nothing new. `GET` tells how far it is.',
      parameters: [IF_MATCH],
      role: 'admin',
      body: {
        description: 'The new node; it runs with `--join` and an empty directory.',
        jsonOnly: true,
        schema: {
          type: 'object',
          required: ['name', 'peer', 'url'],
          properties: {
            name: { type: 'string' },
            peer: { type: 'string', description: 'host:port where its peers reach it.' },
            url: { type: 'string', description: 'http://host:port where clients reach it.' },
            instead: { type: 'string', description: 'A member that it is to stand in for.' },
          },
        },
      },
      answers: ok('It is asked for.'),
      problems: { ...BODY_PROBLEMS, ...REFUSALS },
    },
    answer: async (call) => {
      const fields = await jsonOf(call)
      if ('refusal' in fields) return fields.refusal
      const fault = memberFault(fields.json)
      if (fault !== null) return invalid(fault)
      const { name: node, peer, url, instead = null } = fields.json
      return change(call, { action: 'add', node, peer, url, instead })
    },
  }
}

function removalRoute(change: Change): Route {
  return {
    method: 'DELETE',
    path: '/v1/cluster/members/{id}',
    doc: {
      operationId: 'removeMember',
      summary: 'Takes a member out; of the leader, once another one leads',
      parameters: [NODE_PARAMETER, IF_MATCH],
      role: 'admin',
      answers: ok('It is being removed, or was before.'),
      problems: { ...ADMIN_PROBLEMS, ...REFUSALS },
    },
    answer: (call) => change(call, { action: 'remove', node: call.parameters['id'] }),
  }
}

function replacementRoute(change: Change): Route {
  return {
    method: 'POST',
    path: '/v1/cluster/members/{id}/replacement',
    doc: {
      operationId: 'replaceMember',
      summary: 'Has a node with an empty directory take the place of the member of its name',
      parameters: [NODE_PARAMETER, IF_MATCH],
      role: 'admin',
      body: { description: 'Nothing.', jsonOnly: true, schema: { type: 'object' } },
      answers: ok('It is asked for.'),
      problems: { ...BODY_PROBLEMS, ...REFUSALS, 404: 'No member has that name.' },
    },
    answer: async (call) => {
      const fields = await jsonOf(call)
      if ('refusal' in fields) return fields.refusal
      return change(call, { action: 'replace', node: call.parameters['id'] })
    },
  }
}
