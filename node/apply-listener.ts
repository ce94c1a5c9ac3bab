import type { NodeHost, NodeWiring } from './node-wiring.ts'
import type { ApplyListener } from './state-machine/types.ts'

type Parts = Pick<NodeWiring, 'audit' | 'forwarder' | 'gateway' | 'push'>

/** What apply tells of, and to whom it goes. */
export function applyListener(parts: Parts, { logger }: Pick<NodeHost, 'logger'>): ApplyListener {
  return {
    onResult: (origin, request, result) => {
      parts.forwarder.result(origin, request, result)
    },
    onEvent: (conversation, event) => {
      parts.gateway.onEvent(conversation, event)
      parts.push.onEvent(conversation, event)
    },
    onRemoved: (removal) => parts.gateway.onRemoved(removal),
    onReceipt: (receipt) => parts.gateway.onReceipt(receipt),
    onDuplicate: (conversation, seq, from) => parts.gateway.onDuplicate(conversation, seq, from),
    onApplied: (index) => parts.audit.applied(index),
    onRevoked: (revocation) => parts.gateway.revoked(revocation),
    onPush: ({ user, device }) => parts.push.onPush(user, device),
    onLevel: (level) => logger.info('level.raised', { level }),
    onSettings: (values) => logger.info('settings.changed', { ...values }),
  }
}
