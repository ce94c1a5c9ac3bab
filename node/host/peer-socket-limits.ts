import type { Server, Socket } from 'node:net'
import { clientKey } from '../gateway/client-address.ts'
import { formatAddress } from './address.ts'

/** More than nodes stand behind one address, and far fewer than all that the port takes. */
const MOST_PER_ADDRESS = 100

/**
 * Closes sockets of an address that has many open, before anything of TLS is spoken: nobody on one
 * machine fills the port with handshakes, and keeps peers from connecting. As for clients, a network
 * of 64 bits is one address of IPv6, and the loopback is not counted.
 */
export function limitPeerSockets(server: Pick<Server, 'on'>): void {
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const { remoteAddress, remotePort } = socket
    // It has gone already.
    if (remoteAddress === undefined) return
    const key = clientKey(formatAddress(remoteAddress, remotePort ?? 0))
    if (key === null) return
    const count = open.get(key) ?? 0
    if (count >= MOST_PER_ADDRESS) {
      socket.destroy()
      return
    }
    open.set(key, count + 1)
    socket.once('close', () => {
      const left = open.get(key)! - 1
      if (left === 0) open.delete(key)
      else open.set(key, left)
    })
  })
}
