import type { HttpRequest, HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'

/** One call of a route, its `{parameters}` decoded. */
export interface HttpCall {
  readonly request: HttpRequest
  readonly parameters: Readonly<Record<string, string>>
  readonly context: GatewayContext
}

/** A JSON Schema, as OpenAPI 3.1 takes it. */
export type JsonSchema = { readonly [key: string]: unknown }

export interface ParameterDoc {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly description: string
  readonly schema: JsonSchema
}

export interface AnswerDoc {
  readonly description: string
  /** Of `application/json`; without it the answer is plain text. */
  readonly schema?: JsonSchema
  readonly contentType?: string
}

/** What `GET /openapi.json` says of a route; a test compares it with what the route does. */
export interface RouteDoc {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly ParameterDoc[]
  readonly body?: {
    readonly description: string
    readonly schema: JsonSchema
    /** Not as msgpack. @default false */
    readonly jsonOnly?: boolean
  }
  /** Status → what it carries. */
  readonly answers: Readonly<Record<number, AnswerDoc>>
  /** Status → why: each a problem as RFC 9457 has it. 500 and 403 of a foreign `Origin` go for all. */
  readonly problems?: Readonly<Record<number, string>>
  /** Whose calls need a token; `null`: anybody who reaches the port. @default null */
  readonly role?: 'user' | 'service' | 'admin' | null
  /** An operator sees what users wrote: such a call leaves a line in the audit log. @default false */
  readonly showsMessages?: boolean
}

/** What the node does at one method and path. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `{name}` stands for one segment. */
  readonly path: string
  readonly doc: RouteDoc
  /** May reject: that is a 500 and a line in the log. */
  answer(call: HttpCall): Promise<HttpResponse> | HttpResponse
}
