import type { ClientPorts } from '#client'
import { decodeFrames, isSubprotocol, ProtocolError } from '#protocol'
import { wrappedSocket } from './wrapped-socket.ts'

export interface TracedFrame {
  readonly way: 'in' | 'out'
  readonly frame: { readonly t: string; readonly [field: string]: unknown }
}

/**
 * Ports whose every frame is seen as it passes. `copies` says how often what came is handed on: 0
 * loses it, 5 repeats it.
 */
export function tracedPorts(
  ports: ClientPorts,
  see: (traced: TracedFrame) => void,
  copies: (frames: readonly TracedFrame['frame'][]) => number = () => 1,
): ClientPorts {
  const framesOf = (data: Uint8Array | string, protocol: string, to: 'toServer' | 'toClient') => {
    if (!isSubprotocol(protocol)) throw new Error(`unknown subprotocol ${protocol}`)
    return decodeFrames(data as never, protocol, to as never).flatMap((frame: unknown) =>
      frame instanceof ProtocolError ? [] : [frame as TracedFrame['frame']],
    )
  }
  return {
    ...ports,
    openSocket(url, subprotocol) {
      const real = ports.openSocket(url, subprotocol)
      return wrappedSocket(real, {
        sent: (data) => {
          for (const frame of framesOf(data, subprotocol, 'toServer')) see({ way: 'out', frame })
        },
        came: (data, handOn) => {
          const frames = framesOf(data, subprotocol, 'toClient')
          for (const frame of frames) see({ way: 'in', frame })
          for (let n = copies(frames); n > 0; n--) handOn(data)
        },
      })
    },
  }
}
