import { isOfAlphabet, LIMITS, type WireError, wireError } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { markHeader } from '../http/answer.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, JsonSchema, Route, RouteDoc } from '../http/route.ts'
import { CommandKind, type Submission, SYSTEM_HEAD } from '../state-machine/commands.ts'
import {
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  type SettingsChanges,
  settingsFault,
} from '../state-machine/settings.ts'
import { problemOf } from './problem.ts'

/** A revocation later than this would keep its user out for nobody knows how long. */
const MOST_AHEAD_MS = 600_000

/** Named by one answer. */
const MAX_ERASURES = 1_000

const SETTINGS_SCHEMA: JsonSchema = {
  type: 'object',
  required: ['settings'],
  properties: { settings: { type: 'array', items: { type: 'object' } } },
}

/** Of every route for operators. */
export const ADMIN_PROBLEMS = {
  401: 'No token, or one that is refused.',
  403: 'The token is not of role admin.',
} as const satisfies RouteDoc['problems']

const PROBLEMS: RouteDoc['problems'] = {
  400: 'The body is wrong: `detail` says where.',
  ...ADMIN_PROBLEMS,
  413: 'The body is too large.',
  415: 'The body is no JSON.',
}

/** What an operator changes for all nodes at once, by commands in the log. */
export const SETTINGS_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/settings',
    doc: {
      operationId: 'settings',
      summary: 'What every node decides by: each setting with its bounds',
      role: 'admin',
      answers: { 200: { description: 'As this node has applied it.', schema: SETTINGS_SCHEMA } },
      problems: ADMIN_PROBLEMS,
    },
    answer: ({ context }) => settingsAnswer(context),
  },
  {
    method: 'POST',
    path: '/v1/cluster/settings',
    doc: {
      operationId: 'changeSettings',
      summary: 'Changes settings on every node; what is not named stays as it is',
      role: 'admin',
      body: {
        description: 'Name and value of each.',
        jsonOnly: true,
        schema: {
          type: 'object',
          minProperties: 1,
          additionalProperties: false,
          properties: Object.fromEntries(
            SETTING_NAMES.map((name) => {
              const { least: minimum, most: maximum, about } = SETTINGS[name]
              return [name, { type: 'integer', minimum, maximum, description: about }]
            }),
          ),
        },
      },
      answers: { 200: { description: 'All of them, as they are now.', schema: SETTINGS_SCHEMA } },
      problems: PROBLEMS,
    },
    answer: changeSettings,
  },
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
      problems: PROBLEMS,
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
      problems: PROBLEMS,
    },
    answer: erase,
  },
]

async function changeSettings(call: HttpCall): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const unknown = Object.keys(fields.json).filter((name) => !isSettingName(name))
  if (unknown.length > 0) {
    const known = SETTING_NAMES.join(', ')
    return invalid(`there is no setting ${unknown[0]}; there are ${known}`)
  }
  const changes = fields.json as SettingsChanges
  const fault = settingsFault(changes)
  if (fault !== null) return invalid(fault)
  const { context } = call
  const refusal = await submit({ kind: CommandKind.settings, ...SYSTEM_HEAD, changes }, context)
  return refusal === null ? settingsAnswer(context) : problemOf(refusal)
}

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

/** `null`: applied by this node. */
function submit(submission: Submission, { backend }: GatewayContext): Promise<WireError | null> {
  return new Promise((resolve) => {
    backend.submit(submission, (result) => {
      if ('error' in result) resolve(result.error)
      else resolve(result.ok ? null : wireError(result.code, result.message))
    })
  })
}

function settingsAnswer(context: GatewayContext): HttpResponse {
  const current = context.backend.state.settings
  const settings = SETTING_NAMES.map((name) => {
    const { least, most, preset, about } = SETTINGS[name]
    return { name, value: current[name], preset, least, most, about }
  })
  return jsonAnswer({ settings }, context)
}

function jsonAnswer(value: object, context: GatewayContext): HttpResponse {
  return {
    status: 200,
    contentType: 'application/json',
    body: `${JSON.stringify(value)}\n`,
    headers: markHeader(context),
  }
}

const invalid = (detail: string): HttpResponse => problemOf(wireError('INVALID_MESSAGE', detail))
const isSettingName = (name: string): name is SettingName => Object.hasOwn(SETTINGS, name)
const isDevice = (text: string): boolean => isOfAlphabet(text, 'name', LIMITS.deviceLength)
