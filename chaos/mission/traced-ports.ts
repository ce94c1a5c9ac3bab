import type { ClientPorts, Socket } from '#client'
import { decodeFrames, isSubprotocol, ProtocolError } from '#protocol'

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
      const socket: Socket = {
        send: (data) => {
          for (const frame of framesOf(data, subprotocol, 'toServer')) see({ way: 'out', frame })
          real.send(data)
        },
        close: (code, reason) => real.close(code, reason),
        onOpen: () => {},
        onMessage: () => {},
        onClose: () => {},
      }
      real.onOpen = () => socket.onOpen()
      real.onClose = (code, reason) => socket.onClose(code, reason)
      real.onMessage = (data) => {
        const frames = framesOf(data, subprotocol, 'toClient')
        for (const frame of frames) see({ way: 'in', frame })
        for (let n = copies(frames); n > 0; n--) socket.onMessage(data)
      }
      return socket
    },
  }
}
