import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ClientHandlers } from '../gateway/client-listener.ts'
import { WsNetwork } from './ws-listener.ts'

const STALL_MS = 500
/** More than the buffers of the system take. */
const LARGE = Buffer.alloc(64 * 1024 * 1024, 'x').toString('latin1')

async function listening(body: string) {
  let closed = () => {}
  const isClosed = new Promise<void>((resolve) => (closed = resolve))
  const handlers: ClientHandlers = {
    admit: () => null,
    onSocket: () => closed,
    onConnection: () => {},
    onRequest: async () => ({ status: 200, contentType: 'text/plain', body }),
  }
  const network = new WsNetwork({ maxMessageBytes: 1_024, stallMs: STALL_MS })
  const listener = await network.listenForClients('127.0.0.1:0', handlers)
  return { listener, port: Number(listener.address.split(':')[1]), isClosed }
}

test('[GW38] who asks for much and takes nothing of it holds no memory for long', async () => {
  const { listener, port, isClosed } = await listening(LARGE)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  await isClosed
  socket.destroy()
  await listener.close()
})

test('[GW38] a connection that took its answer may rest, and call again', async () => {
  const { listener, port, isClosed } = await listening('short')
  let isOpen = true
  void isClosed.then(() => (isOpen = false))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const call = () =>
    new Promise<string>((resolve, reject) => {
      get({ port, host: '127.0.0.1', agent }, (response) => {
        let text = ''
        response.on('data', (chunk) => (text += String(chunk)))
        response.on('end', () => resolve(text))
      }).on('error', reject)
    })
  expect(await call()).toBe('short')
  await sleep(3 * STALL_MS)
  expect(isOpen).toBe(true)
  expect(await call()).toBe('short')
  expect(isOpen).toBe(true)
  agent.destroy()
  await listener.close()
})
