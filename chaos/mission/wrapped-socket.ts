import type { Socket } from '#client'

/** What stands between the SDK and a socket of its; what is absent passes everything on. */
export interface Between {
  readonly sent?: (data: Uint8Array | string) => void
  /** Hands on what it makes of the message, as often as it likes. */
  readonly came: (data: Uint8Array | string, handOn: (data: Uint8Array | string) => void) => void
}

export function wrappedSocket(real: Socket, { sent, came }: Between): Socket {
  const socket: Socket = {
    send: (data) => {
      sent?.(data)
      real.send(data)
    },
    close: (code, reason) => real.close(code, reason),
    onOpen: () => {},
    onMessage: () => {},
    onClose: () => {},
  }
  real.onOpen = () => socket.onOpen()
  real.onClose = (code, reason) => socket.onClose(code, reason)
  real.onMessage = (data) => came(data, (each) => socket.onMessage(each))
  return socket
}
