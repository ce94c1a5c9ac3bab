import { type FrameHandler, PeerFrameKind, type RaftId } from '#cluster'
import { readCallFrame } from './admin/node-calls.ts'
import { decodeDiskReport } from './disk/disk-report.ts'
import { decodeForward, decodeRefusals } from './forward-frame.ts'
import type { NodeWiring } from './node-wiring.ts'
import { readSignalFrame } from './signals/node-signals.ts'
import { decodeHashPoint } from './state-audit.ts'

/** Who takes what nodes say to each other beside Raft. */
type Parts = Pick<
  NodeWiring,
  'audit' | 'calls' | 'diskGuard' | 'forwarder' | 'push' | 'signals' | 'standings'
>

/**
 * Decodes a frame of a peer; what it returns does what the frame asks for.
 *
 * @throws PeerProtocolError
 */
export function readNodeFrame(
  parts: Parts,
  { from, kind, body }: { readonly from: RaftId; readonly kind: number; readonly body: Uint8Array },
): FrameHandler {
  switch (kind) {
    case PeerFrameKind.forward: {
      const commands = decodeForward(body)
      return () => parts.forwarder.received(from, commands)
    }
    case PeerFrameKind.forwardRefused: {
      const refusals = decodeRefusals(body)
      return () => parts.forwarder.refused(refusals)
    }
    case PeerFrameKind.sessions:
      return parts.push.readReport(from, body)
    case PeerFrameKind.stateHash: {
      const point = decodeHashPoint(body)
      return () => parts.audit.received(from, point)
    }
    case PeerFrameKind.disk: {
      const report = decodeDiskReport(body)
      return () => parts.diskGuard.received(from, report)
    }
    case PeerFrameKind.standing:
      return parts.standings.readFrame(from, body)
    default:
      return (
        readCallFrame(parts.calls, from, kind, body) ?? readSignalFrame(parts.signals, kind, body)
      )
  }
}
