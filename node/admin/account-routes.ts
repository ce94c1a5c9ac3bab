import { isOfAlphabet, LIMITS } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, Route } from '../http/route.ts'
import { CommandKind, SYSTEM_HEAD } from '../state-machine/commands.ts'
import { ADMIN_PROBLEMS, BODY_PROBLEMS, invalid, jsonAnswer, submit } from './operator-call.ts'
import { problemOf } from '../gateway/problem.ts'

/** A revocation later than this would keep its user out for nobody knows how long. */
const MOST_AHEAD_MS = 600_000

/** Named by one answer. */
const MAX_ERASURES = 1_000

/** What an operator decides about one user: his tokens, and what he said. */
export const ACCOUNT_ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/cluster/revocations',
    doc: {
      operationId: 'revoke',
      summary: 'Has every node refuse the tokens of a user that were made before a moment',
      description: 'For good: nothing takes it back. Sessions with such a token end.',
      role: 'admin',
      body: {
        description: 'Whose tokens.',
        jsonOnly: true,
        schema: {
          type: 'object',
          required: ['user'],
          properties: {
            user: { type: 'string', description: 'As `sub` of the tokens has it.' },
            device: { type: 'string', description: 'Only those of this device.' },
            before: {
              type: 'integer',
              description: 'Wall time in ms; at most ten minutes from now. Default: now.',
            },
          },
        },
      },
      answers: {
        200: {
          description: 'Applied here; the other nodes follow.',
          schema: { type: 'object', required: ['user', 'before'] },
        },
      },
      problems: BODY_PROBLEMS,
    },
    answer: revoke,
  },
  {
    method: 'GET',
    path: '/v1/cluster/erasures',
    doc: {
      operationId: 'erasures',
      summary: 'Whose messages are being removed at present; at most 1,000',
      role: 'admin',
      answers: {
        200: {
          description: 'As this node has applied it.',
          schema: {
            type: 'object',
            required: ['users'],
            properties: { users: { type: 'array', items: { type: 'string' } } },
          },
        },
      },
      problems: ADMIN_PROBLEMS,
    },
    answer: erasures,
  },
  {
    method: 'POST',
    path: '/v1/cluster/erasures',
    doc: {
      operationId: 'erase',
      summary: 'Has everything removed that a user said, in every conversation',
      description:
        'For good. What is left are stubs without a body; disks lose it once the window of results has passed.',
      role: 'admin',
      body: {
        description: 'Whose messages and edits.',
        jsonOnly: true,
        schema: { type: 'object', required: ['user'], properties: { user: { type: 'string' } } },
      },
      answers: {
        200: {
          description: 'It began: `GET` tells when it is done.',
          schema: { type: 'object', required: ['user'] },
        },
      },
      problems: BODY_PROBLEMS,
    },
    answer: erase,
  },
]

async function revoke(call: HttpCall): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const { context } = call
  // A token says in whole seconds when it was made: one of this very second is among them.
  const nowMs = Math.ceil(context.clock.wallMs()) + 1
  const { user, device = null, before = nowMs } = fields.json
  if (typeof user !== 'string' || !isOfAlphabet(user, 'printable', LIMITS.userLength)) {
    return invalid(`user must be 1 to ${LIMITS.userLength} printable characters`)
  }
  if (device !== null && !(typeof device === 'string' && isDevice(device))) {
    return invalid(`device must be 1 to ${LIMITS.deviceLength} of [A-Za-z0-9._:@-]`)
  }
  const latest = nowMs + MOST_AHEAD_MS
  if (!Number.isSafeInteger(before) || !((before as number) > 0 && (before as number) <= latest)) {
    return invalid('before must be a wall time in ms, at most ten minutes from now')
  }
  const operation = {
    op: 'revoke' as const,
    account: user,
    ofDevice: device,
    before: before as number,
  }
  const refusal = await submit({ kind: CommandKind.account, ...SYSTEM_HEAD, operation }, context)
  if (refusal !== null) return problemOf(refusal)
  return jsonAnswer({ user, ...(device === null ? {} : { device }), before }, context)
}

async function erasures({ context }: HttpCall): Promise<HttpResponse> {
  const users = await context.backend.state.erasingUsers('', MAX_ERASURES)
  return jsonAnswer({ users }, context)
}

async function erase(call: HttpCall): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const { user } = fields.json
  if (typeof user !== 'string' || !isOfAlphabet(user, 'printable', LIMITS.userLength)) {
    return invalid(`user must be 1 to ${LIMITS.userLength} printable characters`)
  }
  const operation = { op: 'erase' as const, account: user }
  const command = { kind: CommandKind.account, ...SYSTEM_HEAD, operation } as const
  const refusal = await submit(command, call.context)
  return refusal === null ? jsonAnswer({ user }, call.context) : problemOf(refusal)
}

const isDevice = (text: string): boolean => isOfAlphabet(text, 'name', LIMITS.deviceLength)
