import type { RequestFrame, RequestType } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import { handleAck } from './ack.ts'
import { handleCancel } from './cancel.ts'
import { handleConversation } from './conv.ts'
import { handleMessage } from './msg.ts'
import { handlePing } from './ping.ts'
import { handlePull } from './pull.ts'
import { handleSignal } from './signal.ts'
import { handleSync } from './sync.ts'
import { handleTarget } from './target.ts'

type FrameOf<T extends RequestType> = Extract<RequestFrame, { t: T }>

/** Sees to it that the request is answered exactly once, now or later; never throws or rejects. */
export type Handler<T extends RequestType = RequestType> = (
  request: PendingRequest,
  frame: FrameOf<T>,
  context: GatewayContext,
) => void

/** `hello:R` is not here: it is the session's own (it makes the session). */
const HANDLERS: { readonly [T in Exclude<RequestType, 'hello:R'>]: Handler<T> } = {
  'msg:R': handleMessage,
  'conv:R': handleConversation,
  'pull:R': handlePull,
  'ping:R': handlePing,
  'cancel:R': handleCancel,
  'edit:R': handleTarget,
  'recall:R': handleTarget,
  'react:R': handleTarget,
  'ack:R': handleAck,
  'sync:R': handleSync,
  'signal:R': handleSignal,
}

export function handlerOf(type: Exclude<RequestType, 'hello:R'>): Handler {
  return HANDLERS[type] as Handler
}
