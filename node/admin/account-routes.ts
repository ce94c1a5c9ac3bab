import { isOfAlphabet, LIMITS } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, Route } from '../http/route.ts'
import { CommandKind, SYSTEM_HEAD } from '../state-machine/commands.ts'
import { problemOf } from '../gateway/problem.ts'
import { leftBodies, type LeftPosition } from './erasure-left.ts'
import {
  ADMIN_PROBLEMS,
  BODY_PROBLEMS,
  invalid,
  jsonAnswer,
  NO_PAGE,
  PAGE_PARAMETER,
  POSITION_PARAMETERS,
  positionRefusal,
  submit,
} from './operator-call.ts'

/** A revocation later than this would keep its user out for nobody knows how long. */
const MOST_AHEAD_MS = 600_000

/** Named by one answer. */
const MAX_ERASURES = 1_000

/** Between two pages of a walk: reads for clients come first. */
const PAUSE_MS = 1

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
    method: 'GET',
    path: '/v1/cluster/erasures/{user}',
    doc: {
      operationId: 'erasure',
      summary: 'What is kept of what a user said: what an erasure would remove, or still has to',
      parameters: [
        {
          name: 'user',
          in: 'path',
          description: 'Percent-encoded.',
          schema: { type: 'string', minLength: 1, maxLength: LIMITS.userLength },
        },
        PAGE_PARAMETER,
        ...POSITION_PARAMETERS,
      ],
      role: 'admin',
      answers: {
        200: {
          description:
            'A page; `next` is null on the last one. A conversation may stand on two pages, with a ' +
            'part of its count on each.',
          schema: {
            type: 'object',
            required: ['user', 'pending', 'conversations', 'next'],
            properties: {
              user: { type: 'string' },
              pending: { type: 'boolean', description: 'An erasure of this user is under way.' },
              conversations: {
                type: 'array',
                items: {
                  type: 'object',
                  required: ['conv', 'bodies'],
                  properties: {
                    conv: { type: 'string' },
                    bodies: { type: 'integer', description: 'Messages and edits of the user.' },
                  },
                },
              },
              next: { type: ['string', 'null'] },
            },
          },
        },
      },
      problems: {
        400: 'The user is no name of one, or a parameter is wrong.',
        ...ADMIN_PROBLEMS,
        503: 'This node has not come as far as the mark, or serves nobody.',
      },
    },
    answer: erasure,
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
  if (!isUser(user)) return invalid(NO_USER)
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

async function erasure(call: HttpCall): Promise<HttpResponse> {
  const { context, parameters, request } = call
  const user = parameters['user'] ?? ''
  if (!isUser(user)) return invalid(NO_USER)
  const from = positionOf(request.query.get('after'))
  if (from === null) return invalid(NO_PAGE)
  const refusal = await positionRefusal(call)
  if (refusal !== null) return problemOf(refusal)
  const { state } = context.backend
  const pause = async (): Promise<boolean> => {
    await new Promise<void>((resolve) => void context.clock.after(PAUSE_MS, resolve))
    return !request.isGone() && !context.draining()
  }
  const { conversations, next } = await leftBodies(state, user, from, pause)
  const pending = await state.isErasing(user)
  const after = next === null ? null : `${next.seq}.${next.conv}`
  return jsonAnswer({ user, pending, conversations, next: after }, context)
}

function positionOf(text: string | null): LeftPosition | null {
  if (text === null) return { conv: '', seq: 0 }
  const [, seq, conv = ''] = /^(\d{1,15})\.(.+)$/.exec(text) ?? []
  return seq === undefined ? null : { conv, seq: Number(seq) }
}

async function erase(call: HttpCall): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const { user } = fields.json
  if (!isUser(user)) return invalid(NO_USER)
  const operation = { op: 'erase' as const, account: user }
  const command = { kind: CommandKind.account, ...SYSTEM_HEAD, operation } as const
  const refusal = await submit(command, call.context)
  return refusal === null ? jsonAnswer({ user }, call.context) : problemOf(refusal)
}

const NO_USER = `user must be 1 to ${LIMITS.userLength} printable characters`

const isUser = (value: unknown): value is string =>
  typeof value === 'string' && isOfAlphabet(value, 'printable', LIMITS.userLength)

const isDevice = (text: string): boolean => isOfAlphabet(text, 'name', LIMITS.deviceLength)
