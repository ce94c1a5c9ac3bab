import { describe, expect, it } from 'vitest'
import { CloseCode } from '#protocol'
import { fixture } from './testing/fixture.ts'
import { errorOf, helloFrame, messageFrame } from './testing/samples.ts'

describe('hello', () => {
  it('[GW2] greets with who, where and how far, in one message', async () => {
    const { clock, connect } = fixture()
    const client = connect()
    client.write(helloFrame({ id: 'first', device: 'phone' }))
    await clock.settle()
    expect(client.messages).toHaveLength(1)
    expect(client.last('hello:A')).toMatchObject({
      id: 'first',
      v: 1,
      user: 'alice',
      device: 'phone',
      node: 'n1',
      leader: { id: 'n2', url: 'http://127.0.0.1:7402' },
      epoch: 'e1',
      now: 5_000,
      inbox: 0,
      heartbeatMs: 15_000,
      limits: { bodyBytes: 65_536, inflight: 1_000 },
    })
    expect(client.last('hello:A').nodes).toHaveLength(3)
    expect(client.last('hello:A').features).toEqual([
      ...['conv', 'cancel', 'linearizable', 'sync', 'ack'],
      ...['edit', 'block', 'retention', 'receipts', 'signal'],
    ])
    expect(client.frames.filter((frame) => frame.t === 'caughtup:N')).toHaveLength(1)
    expect(client.frames.at(-1)).toHaveProperty('mark', 'e1.a')
  })

  it('[GW2] refuses anything before hello:R', async () => {
    const { clock, connect, backend } = fixture()
    const client = connect()
    client.write(messageFrame(7), helloFrame())
    await clock.settle()
    expect(client.frames).toHaveLength(1)
    expect(client.last('msg:A')).toMatchObject({ id: 7, error: { code: 'INVALID_MESSAGE' } })
    expect(client.closed?.code).toBe(CloseCode.policy)
    expect(backend.submissions).toHaveLength(0)
  })

  it('[GW2] ends a connection that says nothing for 5 s', async () => {
    const { clock, connect } = fixture()
    const client = connect()
    await clock.advance(4_999)
    expect(client.closed).toBeNull()
    await clock.advance(1)
    expect(errorOf(client.last('error:N')).code).toBe('INVALID_MESSAGE')
    expect(client.closed?.code).toBe(CloseCode.policy)
  })

  it('[GW2] ends a connection whose first message is no frame', async () => {
    const { clock, connect } = fixture()
    const client = connect()
    client.onMessage(new Uint8Array([0xc1]))
    await clock.settle()
    expect(errorOf(client.last('error:N')).code).toBe('INVALID_MESSAGE')
    expect(client.closed?.code).toBe(CloseCode.policy)
  })

  it('[GW2] holds what follows a hello:R that waits for its mark, and serves it in order', async () => {
    const { clock, connect, backend } = fixture()
    const client = connect()
    client.write(helloFrame({ resume: { epoch: 'e1', mark: 'e1.k' } }), messageFrame(1))
    client.write(messageFrame(2))
    await clock.settle()
    expect(client.frames).toHaveLength(0)
    backend.apply(20)
    await clock.settle()
    expect(client.frames[0]?.t).toBe('hello:A')
    expect(backend.submissions.map(({ submission }) => submission.msgId)).toEqual(['m1', 'm2'])
  })

  it('[GW2] bounds what is held', async () => {
    const { clock, connect } = fixture({ maxFramesBeforeHello: 2 })
    const client = connect()
    client.write(helloFrame({ resume: { epoch: 'e1', mark: 'e1.k' } }))
    client.write(messageFrame(1), messageFrame(2), messageFrame(3))
    await clock.settle()
    expect(errorOf(client.last('error:N')).code).toBe('OVERLOADED')
    expect(client.closed?.code).toBe(CloseCode.overload)
  })

  it('[GW2] bounds the bytes of what is held', async () => {
    const { clock, connect } = fixture({ maxMessageBytes: 500 })
    const client = connect()
    client.write(helloFrame({ resume: { epoch: 'e1', mark: 'e1.k' } }))
    for (let id = 1; id <= 20; id++) client.write(messageFrame(id))
    await clock.settle()
    expect(errorOf(client.last('error:N')).code).toBe('OVERLOADED')
    expect(client.closed?.code).toBe(CloseCode.overload)
  })

  it('[GW13] refuses a second hello:R and stays open', async () => {
    const { clock, open } = fixture()
    const client = await open()
    client.write(helloFrame({ id: 5 }))
    await clock.settle()
    expect(client.last('hello:A')).toMatchObject({ id: 5, error: { code: 'INVALID_MESSAGE' } })
    expect(client.closed).toBeNull()
  })

  it('[GW3] closes 4004 without a common version', async () => {
    const { clock, connect } = fixture()
    const client = connect()
    client.write(helloFrame({ v: [2, 9] }))
    await clock.settle()
    expect(errorOf(client.last('hello:A')).code).toBe('UNSUPPORTED')
    expect(client.closed?.code).toBe(CloseCode.version)
  })

  it.each([
    ['a token that nothing can check', true, '127.0.0.1:9', { token: 'x' }],
    ['neither user nor token', true, '127.0.0.1:9', { user: undefined }],
    ['a user outside dev mode', false, '127.0.0.1:9', {}],
    ['a user from another machine', true, '10.1.2.3:9', {}],
    ['a user from another machine that looks local', true, '[2001:db8::1]:127', {}],
  ])('[GW4] refuses %s', async (_, dev, remote, hello) => {
    const { clock, connect } = fixture({ dev })
    const client = connect('parley.v1.msgpack', { remote })
    client.write(helloFrame(hello))
    await clock.settle()
    expect(errorOf(client.last('hello:A')).code).toBe('AUTHENTICATION_FAILED')
    expect(client.closed?.code).toBe(CloseCode.policy)
  })

  it.each(['127.0.0.1:9', '127.9.9.9:9', '[::1]:9', '[::ffff:127.0.0.1]:9'])(
    '[GW4] lets a user in from %s in dev mode',
    async (remote) => {
      const { clock, connect } = fixture()
      const client = connect('parley.v1.json', { remote })
      client.write(helloFrame())
      await clock.settle()
      expect(client.last('hello:A')).toMatchObject({ user: 'alice' })
    },
  )

  it('[GW5] ends the older session of a device before the newer one is greeted', async () => {
    const { clock, connect, open, gateway } = fixture()
    const older = await open('alice', 'phone')
    const other = await open('alice', 'laptop')
    const newer = connect()
    newer.write(helloFrame({ device: 'phone' }))
    await clock.settle()
    expect(errorOf(older.last('error:N')).code).toBe('REPLACED')
    expect(older.closed?.code).toBe(CloseCode.replaced)
    expect(newer.last('hello:A')).toMatchObject({ device: 'phone' })
    expect(other.closed).toBeNull()
    older.onClose(CloseCode.replaced)
    expect(gateway.sessionCount).toBe(2)
  })

  it('[GW6] admits a bounded rate and spreads the rest', async () => {
    const { clock, connect, gateway } = fixture({ hellosPerSecond: 10 })
    const clients = Array.from({ length: 12 }, (_, at) => {
      const client = connect()
      client.write(helloFrame({ device: `d${at}` }))
      return client
    })
    await clock.settle()
    expect(gateway.sessionCount).toBe(10)
    const refused = clients[11]!
    const error = errorOf(refused.last('hello:A'))
    expect(error).toMatchObject({ code: 'OVERLOADED', retryable: true })
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(500)
    expect(refused.closed?.code).toBe(CloseCode.overload)
    await clock.advance(200)
    const later = connect()
    later.write(helloFrame({ device: 'later' }))
    await clock.settle()
    expect(later.last('hello:A')).toMatchObject({ device: 'later' })
  })

  it.each([
    ['BEHIND', { id: 'n2', url: 'http://127.0.0.1:7402' }],
    ['NO_LEADER', null],
  ])('[GW7] answers %s while it is not ready', async (code, leader) => {
    const { clock, connect, backend } = fixture()
    backend.ready = false
    backend.reasons = ['nothing applied since the start']
    backend.leaderNode = leader
    const client = connect()
    client.write(helloFrame())
    await clock.settle()
    const error = errorOf(client.last('hello:A'))
    expect(error).toMatchObject({ code, retryable: true, leader })
    expect(error.message).toContain('nothing applied since the start')
    expect(client.closed?.code).toBe(CloseCode.overload)
  })

  it('[GW7] greets while there is no leader, if the backend still serves', async () => {
    const { clock, connect, backend } = fixture()
    backend.ready = false
    backend.serving = true
    backend.leaderNode = null
    const client = connect()
    client.write(helloFrame())
    await clock.settle()
    expect(client.last('hello:A')).toMatchObject({ user: 'alice', leader: null })
  })

  it('[GW14] waits for the mark it resumes from, else BEHIND', async () => {
    const { clock, connect, backend } = fixture()
    const client = connect()
    client.write(helloFrame({ resume: { epoch: 'e1', mark: 'e1.b' } }))
    await clock.settle()
    expect(client.frames).toHaveLength(0)
    backend.giveUp()
    await clock.settle()
    expect(errorOf(client.last('hello:A'))).toMatchObject({ code: 'BEHIND', retryable: true })
    expect(client.closed?.code).toBe(CloseCode.overload)
  })

  it('[GW14] does not wait for a mark of another epoch', async () => {
    const { clock, connect } = fixture()
    const client = connect()
    client.write(
      helloFrame({ resume: { epoch: 'old', mark: 'of a form that is no longer known' } }),
    )
    await clock.settle()
    expect(client.last('hello:A')).toMatchObject({ epoch: 'e1' })
  })

  it('[GW14] refuses a mark that no node gave out', async () => {
    const { clock, connect } = fixture()
    const client = connect()
    client.write(helloFrame({ resume: { epoch: 'e1', mark: '???' } }))
    await clock.settle()
    expect(errorOf(client.last('hello:A')).code).toBe('INVALID_MESSAGE')
  })

  it('[GW10] forgets a client that left while its mark was awaited', async () => {
    const { clock, connect, backend, gateway } = fixture()
    const client = connect()
    client.write(helloFrame({ resume: { epoch: 'e1', mark: 'e1.b' } }))
    client.onClose(1006)
    backend.apply(11)
    await clock.settle()
    expect(client.frames).toHaveLength(0)
    expect(gateway.sessionCount).toBe(0)
  })

  it('[GW8] ends a connection that is silent for two and a half heartbeats', async () => {
    const { clock, open } = fixture({ heartbeatMs: 1_000 })
    const silent = await open('alice', 'd1')
    const lively = await open('alice', 'd2')
    for (let i = 0; i < 6; i++) {
      await clock.advance(500)
      lively.write({ t: 'ping:R', id: i })
    }
    await clock.settle()
    expect(silent.closed?.code).toBe(CloseCode.normal)
    expect(lively.closed).toBeNull()
    expect(lively.last('ping:A')).toMatchObject({ id: 5, now: 5_000, inbox: 0, mark: 'e1.a' })
  })
})
