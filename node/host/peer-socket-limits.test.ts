import { EventEmitter } from 'node:events'
import type { Server } from 'node:net'
import { expect, test } from 'vitest'
import { limitPeerSockets } from './peer-socket-limits.ts'

class FakeSocket extends EventEmitter {
  destroyed = false
  readonly remoteAddress: string
  readonly remotePort = 1
  constructor(remoteAddress: string) {
    super()
    this.remoteAddress = remoteAddress
  }
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

function listening() {
  const server = new EventEmitter()
  limitPeerSockets(server as unknown as Server)
  return (address: string): FakeSocket => {
    const socket = new FakeSocket(address)
    server.emit('connection', socket)
    return socket
  }
}

const taken = (sockets: readonly FakeSocket[]) =>
  sockets.filter(({ destroyed }) => !destroyed).length

test('[NI13] one address takes a tenth of what the peer port has, and gets it back', () => {
  const dial = listening()
  const sockets = Array.from({ length: 300 }, () => dial('10.0.0.9'))
  expect(taken(sockets)).toBe(100)
  expect(dial('10.0.0.8').destroyed).toBe(false)
  expect(dial('::ffff:10.0.0.9').destroyed).toBe(true)
  sockets[0]!.destroy()
  expect(dial('10.0.0.9').destroyed).toBe(false)
  expect(dial('10.0.0.9').destroyed).toBe(true)
  for (const socket of sockets) socket.destroy()
  expect(taken(Array.from({ length: 300 }, () => dial('10.0.0.9')))).toBe(99)
})

test('[NI13] a network of IPv6 is one address, and the loopback is none', () => {
  const dial = listening()
  expect(taken(Array.from({ length: 300 }, (_, at) => dial(`2001:db8::${at.toString(16)}`)))).toBe(
    100,
  )
  expect(dial('2001:db8:0:1::1').destroyed).toBe(false)
  expect(taken(Array.from({ length: 300 }, () => dial('127.0.0.1')))).toBe(300)
})
