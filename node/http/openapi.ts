import { ERROR_CODES } from '#protocol'
import { ADMIN_CODES } from '../admin/admin-problem.ts'
import type { JsonSchema, Route, RouteDoc } from './route.ts'

const PROBLEM: JsonSchema = {
  type: 'object',
  description:
    'A failure (RFC 9457). `code` is of the closed list of frames, or of the one of operators.',
  required: ['type', 'title', 'status', 'detail', 'code', 'category', 'retryable', 'outcome'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What was wrong and what to do.' },
    code: { enum: [...Object.keys(ERROR_CODES), ...Object.keys(ADMIN_CODES)] },
    category: { type: 'string' },
    retryable: { type: 'boolean' },
    retryAfterMs: { type: 'integer' },
    leader: {
      type: ['object', 'null'],
      properties: { id: { type: 'string' }, url: { type: 'string' } },
    },
    outcome: {
      enum: ['notApplied', 'unknown'],
      description:
        'unknown: a write may have been stored. Repeat it with the same Idempotency-Key.',
    },
  },
}

/** `GET /openapi.json`: every route of the node, itself too, from what the routes say of themselves. */
export function openApi(routes: readonly Route[], version: string): Route {
  const self: Omit<Route, 'answer'> = {
    method: 'GET',
    path: '/openapi.json',
    doc: {
      operationId: 'describe',
      summary: 'This description',
      answers: { 200: { description: 'OpenAPI 3.1', schema: { type: 'object' } } },
    },
  }
  let body: string | null = null
  const answer = () => {
    // Hardly any node is ever asked.
    body ??= `${JSON.stringify(description([...routes, self], version))}\n`
    return { status: 200, contentType: 'application/json', body }
  }
  return { ...self, answer }
}

function description(routes: readonly Omit<Route, 'answer'>[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const { method, path, doc } of routes) {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(doc) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Parley',
      version,
      description:
        'HTTP of a Parley node, for backends and operators. Applications use the WebSocket at /v1/ws.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  }
}

function operation(doc: RouteDoc): object {
  const { operationId, summary, parameters = [], body, role = null } = doc
  const answers = Object.entries(doc.answers).map(([status, answer]) => {
    const { description, schema } = answer
    const contentType =
      answer.contentType ?? (schema === undefined ? 'text/plain' : 'application/json')
    return [status, { description, content: { [contentType]: { schema: schema ?? TEXT } } }]
  })
  const problems = Object.entries(doc.problems ?? {})
  return {
    operationId,
    summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    ...(role === null ? {} : { security: [{ token: [] }, {}] }),
    parameters: parameters.map((parameter) => ({
      required: parameter.in === 'path',
      ...parameter,
    })),
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      ...Object.fromEntries(answers),
      ...Object.fromEntries(problems.map(([status, why]) => [status, problemAnswer(why)])),
      default: problemAnswer('Another failure; `code` tells which, `detail` what to do.'),
    },
  }
}

const TEXT: JsonSchema = { type: 'string' }

function requestBody({ description, schema, jsonOnly = false }: NonNullable<RouteDoc['body']>) {
  const content = { schema }
  return {
    description,
    required: true,
    content: {
      'application/json': content,
      ...(jsonOnly ? {} : { 'application/msgpack': content }),
    },
  }
}

function problemAnswer(description: string): object {
  const schema = { $ref: '#/components/schemas/Problem' }
  return { description, content: { 'application/problem+json': { schema } } }
}
