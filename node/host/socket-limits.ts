import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientHandlers } from '../gateway/client-listener.ts'
import { formatAddress } from './address.ts'

/** Has every socket counted from its first moment; one for which there is no room is closed at once. */
export function limitSockets(server: Server, handlers: ClientHandlers): void {
  if (handlers.onSocket === undefined) return
  server.on('connection', (socket: Socket) => {
    const { remoteAddress, remotePort } = socket
    // It has gone already.
    if (remoteAddress === undefined) return
    const closed = handlers.onSocket?.(formatAddress(remoteAddress, remotePort ?? 0))
    if (closed === null) socket.destroy()
    else if (closed !== undefined) socket.once('close', closed)
  })
}
