import { isDeepStrictEqual } from 'node:util'
import { isOfAlphabet, LIMITS, type WireError, wireError } from '#protocol'
import { problem, problemOf } from '../gateway/problem.ts'
import { isRefusal } from '../gateway/auth.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { PushSettings } from '../push/push-provider.ts'
import {
  CommandKind,
  type PushOperation,
  type PushTarget,
  SYSTEM_HEAD,
} from '../state-machine/commands.ts'
import { MAX_ENDPOINT_BYTES, PUSH_KINDS, pushTargetFault } from '../state-machine/push-target.ts'
import { markHeader } from './answer.ts'
import { callerOf } from './caller-identity.ts'
import { jsonOf } from './json-call.ts'
import { USER_PARAMETER } from './parameters.ts'
import type { HttpCall, ParameterDoc, Route, RouteDoc } from './route.ts'

const DEVICE_PARAMETER: ParameterDoc = {
  name: 'device',
  in: 'query',
  required: true,
  description: 'As `hello:R` has it.',
  schema: { type: 'string', minLength: 1, maxLength: LIMITS.deviceLength },
}

const PROBLEMS = {
  400: 'A field is wrong, or this node does not call devices that way.',
  401: 'Nobody, or nobody who may.',
  403: 'The token is of another device.',
  503: 'Not now, or the outcome is unknown: repeat it.',
} as const satisfies RouteDoc['problems']

const PUSH_DOC: RouteDoc = {
  operationId: 'push',
  summary: 'How devices that are away can be called here',
  answers: {
    200: {
      description: 'What to subscribe with.',
      schema: {
        type: 'object',
        required: ['kinds', 'vapidPublicKey'],
        properties: {
          kinds: { type: 'array', items: { enum: [...PUSH_KINDS] } },
          vapidPublicKey: {
            type: ['string', 'null'],
            description: '`applicationServerKey` of `pushManager.subscribe`.',
          },
        },
      },
    },
  },
}

const SUBSCRIBE_DOC: RouteDoc = {
  operationId: 'subscribe',
  summary: 'Has a device called when it is away and a message comes',
  description:
    'A device has one subscription; a newer one takes its place. Of one user 20 are kept: ' +
    'one more, and the oldest goes.',
  parameters: [USER_PARAMETER],
  body: {
    description: 'The device, and how it is called.',
    jsonOnly: true,
    schema: {
      type: 'object',
      required: ['device', 'kind'],
      properties: {
        device: DEVICE_PARAMETER.schema,
        kind: { enum: [...PUSH_KINDS] },
        endpoint: {
          type: 'string',
          maxLength: MAX_ENDPOINT_BYTES,
          description:
            'web: as `PushSubscription` has it. webhook: handed to the webhook as it is, ' +
            'for example the token of another push service; may be left out.',
        },
        keys: {
          type: 'object',
          description: 'web: as `PushSubscription` has them.',
          required: ['p256dh', 'auth'],
          properties: { p256dh: { type: 'string' }, auth: { type: 'string' } },
        },
      },
    },
  },
  answers: {
    200: {
      description: 'Kept by a majority.',
      schema: { type: 'object', required: ['device', 'kind'] },
    },
  },
  problems: { ...PROBLEMS, 413: 'The body is too large.', 415: 'The body is no JSON.' },
  role: 'user',
}

const UNSUBSCRIBE_DOC: RouteDoc = {
  operationId: 'unsubscribe',
  summary: 'Calls the device no more; harmless where there is nothing to end',
  parameters: [DEVICE_PARAMETER, USER_PARAMETER],
  answers: {
    200: { description: 'Applied here.', schema: { type: 'object', required: ['device'] } },
  },
  problems: PROBLEMS,
  role: 'user',
}

/** Which devices are called when they are away (rule B9). `null`: this node calls nobody. */
export function pushRoutes(settings: PushSettings | null): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/push',
      doc: PUSH_DOC,
      answer: () => ({
        status: 200,
        contentType: 'application/json',
        body: `${JSON.stringify({
          kinds: settings?.providers.map(({ kind }) => kind) ?? [],
          vapidPublicKey: settings?.vapidPublicKey ?? null,
        })}\n`,
      }),
    },
    {
      method: 'POST',
      path: '/v1/push/subscriptions',
      doc: SUBSCRIBE_DOC,
      answer: (call) => subscribe(call, settings),
    },
    {
      method: 'DELETE',
      path: '/v1/push/subscriptions',
      doc: UNSUBSCRIBE_DOC,
      answer: unsubscribe,
    },
  ]
}

async function subscribe(call: HttpCall, settings: PushSettings | null): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const { device, kind } = fields.json
  const account = await accountOf(call, device)
  if ('refusal' in account) return account.refusal
  const target = targetOf(fields.json)
  if (typeof target === 'string') return invalid(target)
  if (!settings?.providers.some((each) => each.kind === kind)) {
    const detail = `This node calls no devices by ${String(kind)}; GET /v1/push tells how.`
    return problem(400, 'UNSUPPORTED', detail)
  }
  const fault = pushTargetFault(target) ?? settings.endpointFault(target)
  if (fault !== null) return invalid(fault)
  const known = await call.context.backend.state.pushSubscriptions(account.account)
  // Applications say so at each start: what is kept already needs no entry in the log.
  const isKept = known.some(
    (each) => each.device === device && isDeepStrictEqual(each.target, target),
  )
  if (isKept) return answered({ device, kind }, call)
  return submit(call, { ...account, op: 'subscribe', target }, { device, kind })
}

async function unsubscribe(call: HttpCall): Promise<HttpResponse> {
  const device = call.request.query.get('device')
  const account = await accountOf(call, device)
  if ('refusal' in account) return account.refusal
  return submit(call, { ...account, op: 'unsubscribe', endpoint: null }, { device })
}

/** Whose device it is: the caller's; a token of one device speaks for no other. */
async function accountOf(
  call: HttpCall,
  device: unknown,
): Promise<{ account: string; ofDevice: string } | { refusal: HttpResponse }> {
  const caller = await callerOf(call)
  if (isRefusal(caller)) return { refusal: problemOf(caller) }
  if (typeof device !== 'string' || !isOfAlphabet(device, 'name', LIMITS.deviceLength)) {
    const detail = `device must be 1 to ${LIMITS.deviceLength} of [A-Za-z0-9._:@-]`
    return { refusal: invalid(detail) }
  }
  if (caller.device !== null && caller.device !== device) {
    const detail = `The token is of the device ${caller.device}, not of ${device}.`
    return { refusal: problemOf(wireError('FORBIDDEN', detail)) }
  }
  return { account: caller.user, ofDevice: device }
}

/** A sentence where the fields are none. */
function targetOf(fields: Readonly<Record<string, unknown>>): PushTarget | string {
  const { kind, endpoint = '', keys } = fields
  if (typeof endpoint !== 'string') return 'endpoint must be a string'
  if (kind === 'webhook') return { kind, endpoint }
  if (kind !== 'web') return `kind must be one of ${PUSH_KINDS.join(', ')}`
  const { p256dh, auth } = (keys ?? {}) as Record<string, unknown>
  if (typeof p256dh === 'string' && typeof auth === 'string') {
    return { kind, endpoint, p256dh: unpadded(p256dh), auth: unpadded(auth) }
  }
  return 'keys must have p256dh and auth, as the browser gave them'
}

/** Browsers and libraries differ in this alone. */
const unpadded = (base64url: string): string => base64url.replace(/=+$/, '')

function answered(answer: object, { context }: HttpCall): HttpResponse {
  return {
    status: 200,
    contentType: 'application/json',
    body: `${JSON.stringify(answer)}\n`,
    headers: markHeader(context),
  }
}

function submit(call: HttpCall, operation: PushOperation, answer: object): Promise<HttpResponse> {
  const { backend } = call.context
  return new Promise((resolve) => {
    backend.submit({ kind: CommandKind.push, ...SYSTEM_HEAD, operation }, (result) => {
      const failure = failureOf(result)
      resolve(failure === null ? answered(answer, call) : problemOf(failure))
    })
  })
}

type Outcome = Parameters<Parameters<HttpCall['context']['backend']['submit']>[1]>[0]

function failureOf(result: Outcome): WireError | null {
  if ('error' in result) return result.error
  return result.ok ? null : wireError(result.code, result.message)
}

const invalid = (detail: string): HttpResponse => problemOf(wireError('INVALID_MESSAGE', detail))
