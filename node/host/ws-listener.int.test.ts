import { request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import {
  CloseCode,
  decodeFrames,
  encodeBody,
  encodeFrame,
  joinFrames,
  type RequestFrame,
  type ServerFrame,
  type Subprotocol,
} from '#protocol'
import { accepted, FakeBackend } from '../gateway/testing/fake-backend.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { BODY, conversation, event, helloFrame, messageFrame } from '../gateway/testing/samples.ts'
import { adminRoutes, healthRoutes } from '../admin/admin-api.ts'
import type { ClientListener } from '../gateway/client-listener.ts'
import { Gateway } from '../gateway/gateway.ts'
import { HttpApi } from '../http/http-api.ts'
import type { GatewayOptions } from '../gateway/gateway-options.ts'
import { defineHttpMetrics } from '../metrics/http-metrics.ts'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { NodeClock } from './node-clock.ts'
import { NodeRandom } from './node-random.ts'
import { WsNetwork } from './ws-listener.ts'

const MAX_MESSAGE_BYTES = 256 * 1024

const running: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.close()
})

async function start(options: Partial<GatewayOptions> = {}) {
  const backend = new FakeBackend()
  backend.answer = (submission) => accepted(submission)
  const logger = new RecordingLogger()
  const metrics = new MetricsRegistry()
  const readiness = () => backend.readiness()
  const clusterView = () => ({ node: 'n1' }) as never
  const calls = {} as never
  const backup = {} as never
  const self = { settings: {}, machine: () => null, recentLines: () => [] }
  const log = {} as never
  const parts = { readiness, clusterView, metrics, calls, self, log, backup, logTimeMs: () => null }
  const routes = [...healthRoutes(parts), ...adminRoutes(parts)]
  const http = new HttpApi({ routes, version: '0', logger, metrics: defineHttpMetrics(metrics) })
  const gateway = new Gateway({
    backend,
    clock: new NodeClock(),
    random: new NodeRandom(),
    logger,
    metrics,
    options: { dev: true, ...options },
    onRequest: (request, context) => http.handle(request, context),
  })
  const network = new WsNetwork({ maxMessageBytes: MAX_MESSAGE_BYTES })
  const listener: ClientListener = await network.listenForClients('127.0.0.1:0', gateway.handlers)
  running.push({
    close: async () => {
      gateway.close()
      await listener.close()
    },
  })
  return { backend, gateway, listener, network, address: listener.address }
}

/** A plain client: nothing of the SDK. */
class PlainClient {
  readonly webSocket: WebSocket
  readonly frames: ServerFrame[] = []
  readonly kinds = new Set<'text' | 'binary'>()
  readonly closed: Promise<number>
  readonly #subprotocol: Subprotocol
  #wake: () => void = () => {}

  constructor(address: string, subprotocol: Subprotocol, options: ClientOptions = {}) {
    this.#subprotocol = subprotocol
    this.webSocket = new WebSocket(`ws://${address}/v1/ws`, subprotocol, options)
    this.webSocket.on('message', (data: Buffer, isBinary) => {
      this.kinds.add(isBinary ? 'binary' : 'text')
      const message = isBinary ? data : data.toString()
      this.frames.push(...(decodeFrames(message, subprotocol, 'toClient') as ServerFrame[]))
      this.#wake()
    })
    this.webSocket.on('error', () => {})
    this.closed = new Promise((resolve) => this.webSocket.on('close', (code) => resolve(code)))
  }

  write(...frames: RequestFrame[]): void {
    this.webSocket.send(joinFrames(frames.map((frame) => encodeFrame(frame, this.#subprotocol))))
  }

  /** Resolves when `enough` frames of the type came. */
  async have(type: string, enough = 1): Promise<ServerFrame[]> {
    const found = () => this.frames.filter((frame) => frame.t === type)
    await this.until(() => found().length >= enough)
    return found()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  /** The newest seq that a push or a notify named. */
  get head(): number {
    return this.frames.reduce(
      (head, frame) => (frame.t === 'msg:N' && 'seq' in frame ? Math.max(head, frame.seq) : head),
      0,
    )
  }

  async open(hello: Partial<Extract<RequestFrame, { t: 'hello:R' }>> = {}): Promise<this> {
    await new Promise((resolve) => this.webSocket.on('open', resolve))
    this.write(helloFrame(hello))
    await this.have('hello:A')
    return this
  }
}

function call(address: string, path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
    const outgoing = request(`http://${address}${path}`, { headers, method }, (answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()))
      answer.on('end', () => {
        const type = answer.headers['content-type'] ?? ''
        resolve({ status: answer.statusCode ?? 0, type, body })
      })
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** Status of an upgrade, 101 if it was granted. */
function upgrade(
  address: string,
  headers: Record<string, string>,
  subprotocols: string[] = ['parley.v1.json'],
  path = '/v1/ws',
) {
  return new Promise<{ status: number; body: string }>((resolve) => {
    const webSocket = new WebSocket(`ws://${address}${path}`, subprotocols, { headers })
    webSocket.on('open', () => {
      webSocket.terminate()
      resolve({ status: 101, body: '' })
    })
    webSocket.on('unexpected-response', (_, answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }))
    })
    webSocket.on('error', () => {})
  })
}

describe('clients over sockets', () => {
  it.each<Subprotocol>(['parley.v1.msgpack', 'parley.v1.json'])(
    '[GW20] %s: says hello, sends, is pushed to, pulls',
    async (subprotocol) => {
      const { address, backend, gateway } = await start()
      backend.state.events.set('c1', [event(1), event(2)])
      const client = await new PlainClient(address, subprotocol).open()
      expect(client.webSocket.protocol).toBe(subprotocol)
      client.write(messageFrame(1), messageFrame(2))
      const answers = await client.have('msg:A', 2)
      expect(answers[0]).toMatchObject({ id: 1, msgId: 'm1', seq: 1, duplicate: false })
      gateway.onEvent(conversation('c1', 'alice'), event(3))
      const [pushed] = await client.have('msg:N')
      expect(pushed).toMatchObject({ conv: 'c1', seq: 3, mark: 'e1.a' })
      expect(Uint8Array.from((pushed as { body: Uint8Array }).body)).toEqual(BODY)
      client.write({ t: 'pull:R', id: 3, conv: 'c1', after: 0, limit: 10 })
      const [page] = await client.have('pull:A')
      expect(page).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }], next: 2 })
      expect([...client.kinds]).toEqual([subprotocol === 'parley.v1.json' ? 'text' : 'binary'])
      client.webSocket.close(1000)
      await client.closed
      expect(gateway.sessionCount).toBe(0)
    },
  )

  it('[GW13] answers text in the binary subprotocol and binary in the other', async () => {
    const { address } = await start()
    const binary = await new PlainClient(address, 'parley.v1.msgpack').open()
    binary.webSocket.send('{"t":"ping:R","id":1}')
    expect(await binary.have('error:N')).toMatchObject([{ error: { code: 'INVALID_MESSAGE' } }])
    const text = await new PlainClient(address, 'parley.v1.json').open({ device: 'd2' })
    text.webSocket.send(Buffer.from([0x81, 0xa1, 0x74, 0xc0]))
    expect(await text.have('error:N')).toMatchObject([{ error: { code: 'INVALID_MESSAGE' } }])
    text.write({ t: 'ping:R', id: 7 })
    expect(await text.have('ping:A')).toMatchObject([{ id: 7 }])
  })

  it('[GW11] closes 1009 on a message past the limit, and nobody else', async () => {
    const { address } = await start()
    const big = await new PlainClient(address, 'parley.v1.msgpack').open()
    const other = await new PlainClient(address, 'parley.v1.msgpack').open({ device: 'd2' })
    big.webSocket.send(new Uint8Array(MAX_MESSAGE_BYTES + 1))
    expect(await big.closed).toBe(CloseCode.tooLarge)
    other.write({ ...messageFrame(1), body: encodeBody('x'.repeat(70_000)) })
    expect(await other.have('msg:A')).toMatchObject([{ error: { code: 'PAYLOAD_TOO_LARGE' } }])
    other.write(messageFrame(2))
    await other.have('msg:A', 2)
  })

  it.each([
    ['none of ours', ['chat.v9'], 400],
    ['none at all', [], 400],
    ['ours among others', ['chat.v9', 'parley.v1.json'], 101],
  ])('[GW3] an upgrade that offers %s', async (_, subprotocols, status) => {
    const { address } = await start()
    const answer = await upgrade(address, {}, subprotocols)
    expect(answer.status).toBe(status)
    if (status !== 400) return
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'INVALID_MESSAGE',
      detail: expect.stringContaining('parley.v1.msgpack') as unknown,
    })
  })

  it('[AD5] an upgrade anywhere else is 404', async () => {
    const { address } = await start()
    const answer = await upgrade(address, {}, undefined, '/v2/ws')
    expect(answer.status).toBe(404)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'UNSUPPORTED', status: 404 })
  })

  it('[GW1] checks Host and Origin of upgrades and calls', async () => {
    const { address } = await start()
    const port = address.split(':')[1]!
    const cases: [Record<string, string>, number][] = [
      [{}, 200],
      [{ host: `localhost:${port}` }, 200],
      [{ host: `[::1]:${port}` }, 200],
      [{ host: 'localhost:1' }, 403],
      [{ host: `rebound.example:${port}` }, 403],
      [{ origin: `http://${address}` }, 200],
      [{ origin: `http://localhost:${port}` }, 200],
      [{ origin: 'http://evil.example' }, 403],
      [{ origin: 'null' }, 403],
    ]
    for (const [headers, status] of cases) {
      const answer = await call(address, '/livez', headers)
      expect({ headers, status: answer.status }).toEqual({ headers, status })
      if (status === 403) expect(answer.body).toMatch(/Host|Origin/)
      const upgraded = await upgrade(address, headers)
      expect({ headers, status: upgraded.status }).toEqual({
        headers,
        status: status === 200 ? 101 : status,
      })
    }
  })

  it('[AD1] [AD2] [AD5] answers plain calls', async () => {
    const { address, backend } = await start()
    expect(await call(address, '/livez')).toMatchObject({ status: 200, body: 'ok\n' })
    backend.ready = false
    backend.reasons = ['no leader']
    expect(await call(address, '/readyz')).toMatchObject({ status: 503 })
    expect((await call(address, '/metrics')).body).toContain('parley_connections 0')
    expect(await call(address, '/nothing')).toMatchObject({
      status: 404,
      type: 'application/problem+json',
    })
    expect(await call(address, '/livez', {}, 'HEAD')).toMatchObject({ status: 200, body: '' })
    expect((await call(address, '/livez', {}, 'DELETE')).status).toBe(405)
  })

  it('[GW13] survives what is no HTTP and no WebSocket', async () => {
    const { address } = await start()
    const [host, port] = address.split(':')
    const upgradeHead = [
      'GET /v1/ws HTTP/1.1',
      `Host: ${address}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol: parley.v1.json',
    ]
    const hostile = [
      'GET / HTTP/1.1\r\n\r\n',
      '\u0000\u0001\u0002\r\n\r\n',
      'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n',
      `${upgradeHead.slice(0, -1).join('\r\n')}\r\nSec-WebSocket-Protocol: ,,,\r\n\r\n`,
      `${upgradeHead.join('\r\n')}\r\n\r\n\u0081\u0005hello`,
    ]
    for (const bytes of hostile) {
      await new Promise<void>((resolve) => {
        const socket = connectTcp(Number(port), host)
        socket.on('close', () => resolve())
        socket.on('error', () => {})
        socket.resume()
        socket.end(Buffer.from(bytes, 'latin1'))
      })
    }
    expect((await call(address, '/livez')).status).toBe(200)
    await new PlainClient(address, 'parley.v1.json').open()
  })

  it('[GW24] a client that stops reading gets notifies when it reads again; nobody waits for it', async () => {
    const limits = { slowBytes: 64 * 1024, maxQueuedBytes: 512 * 1024 }
    const { address, gateway } = await start(limits)
    const stuck = await new PlainClient(address, 'parley.v1.msgpack').open()
    const reader = await new PlainClient(address, 'parley.v1.msgpack').open({ device: 'd2' })
    stuck.webSocket.pause()
    const body = encodeBody('x'.repeat(32_000))
    const push = (seq: number) => gateway.onEvent(conversation('c1', 'alice'), event(seq, { body }))
    // The sockets of both ends take several MB before the node holds anything itself.
    for (let seq = 1; seq <= 1_000; seq++) {
      push(seq)
      await reader.until(() => reader.head >= seq)
    }
    expect(reader.frames.filter((frame) => frame.t === 'msg:N' && 'kind' in frame)).toHaveLength(
      1_000,
    )
    expect(stuck.head).toBe(0)
    stuck.webSocket.resume()
    await stuck.until(() => stuck.head >= 1_000)
    expect(stuck.frames.at(-1)).toMatchObject({ t: 'msg:N', conv: 'c1', seq: 1_000 })
    expect(stuck.frames.at(-1)).not.toHaveProperty('kind')
    push(1_001)
    await stuck.until(() => stuck.head >= 1_001)
    expect(stuck.frames.at(-1)).toMatchObject({ seq: 1_001, kind: 'message' })
  })

  it('[GW9] drains: clients are told, closed with 1012, and the port is free again', async () => {
    const { address, gateway, listener, network } = await start()
    const client = await new PlainClient(address, 'parley.v1.json').open()
    listener.stopAccepting()
    await gateway.drain(2_000)
    expect(client.frames.some((frame) => frame.t === 'goaway:N')).toBe(true)
    expect(await client.closed).toBe(CloseCode.drain)
    await listener.close()
    const again = await network.listenForClients(address, gateway.handlers)
    expect(again.address).toBe(address)
    await again.close()
  })

  it('[GW1] says clearly that the port is taken, and what an address is', async () => {
    const { address, network, gateway } = await start()
    await expect(network.listenForClients(address, gateway.handlers)).rejects.toThrow(
      `cannot listen on ${address}: another process listens there`,
    )
    await expect(network.listenForClients('7401', gateway.handlers)).rejects.toThrow(
      '7401 is not an address: write host:port',
    )
  })
})
