// Tokens, roles, moderation and the table of errors, over the wire of real nodes outside dev mode.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { bearer, TOKEN_SECRET, tokenOf } from '../processes/token-of.ts'
import { type Frame, WireClient } from '../workload/wire-client.ts'
import { ModerationServer } from './moderation-server.ts'

const DEVICE_RATE = 5
let cluster: ProcessCluster
let moderation: ModerationServer
/** The devices of `enter`, each another one. */
let devices = 0

const flags = () => [
  ...['--moderation-url', moderation.url],
  ...['--token-audience', 'chat', '--token-leeway', '1s'],
  ...['--device-rate', String(DEVICE_RATE)],
]
const options = () => ({
  dev: false,
  flags: flags(),
  tokenSecret: TOKEN_SECRET,
})
const admin = () => bearer({ sub: 'op', role: 'admin', aud: 'chat' })

beforeAll(async () => {
  moderation = await ModerationServer.start()
  cluster = await ProcessCluster.create(3)
  cluster.headers = admin
  await cluster.startAll(options())
  await cluster.healthy()
})

afterAll(async () => {
  await cluster.close()
  moderation.close()
})

const urlOf = (node: number): string => cluster.nodes[node - 1]!.url
const clients: WireClient[] = []
afterAll(() => clients.forEach((client) => client.close()))

async function greet(token: string, hello: object = {}, node = 1) {
  const client = await WireClient.open(urlOf(node))
  clients.push(client)
  devices += 1
  const fields = { t: 'hello:R', v: [1, 1], device: `d${devices}`, token, ...hello }
  return { client, answer: (await client.request(fields))! }
}

/** A session of the user, with a device of its own. */
async function enter(user: string, node = 1, claims: object = {}): Promise<WireClient> {
  const { client, answer } = await greet(tokenOf({ sub: user, aud: 'chat', ...claims }), {}, node)
  expect(answer.error, user).toBeUndefined()
  return client
}

async function post(path: string, body: object, node = 1): Promise<Response> {
  const headers = { ...admin(), 'content-type': 'application/json' }
  return fetch(`${urlOf(node)}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

const message = (to: string, msgId: string, body: unknown = msgId) => ({
  t: 'msg:R',
  to,
  msgId,
  body,
})
const codeOf = (answer: Frame | null) => answer?.error?.code

/** Waits for the end of the connection; gives its close code and the code of its last error. */
async function endOf(client: WireClient) {
  const { code: close } = await client.closed
  const error = client.pushed.findLast(({ t }) => t === 'error:N')?.['error'] as { code: string }
  return { close, code: error?.code }
}

describe('tokens', () => {
  test('[NI1] [NI2] [NI3] a good one is believed by every node, a bad one by none', async () => {
    const now = Math.floor(Date.now() / 1000)
    const good = { sub: 'ann', aud: 'chat' }
    const hour = 3_600
    const bad: [string, string, object?][] = [
      ['nothing', ''],
      ['no token', 'nonsense'],
      ['expired', tokenOf({ ...good, iat: now - 20, exp: now - 10 })],
      ['forged', tokenOf(good, { secret: `${TOKEN_SECRET}!` })],
      ['by no algorithm', tokenOf(good, { head: { alg: 'none' } })],
      ['by another algorithm', tokenOf(good, { head: { alg: 'HS512' } })],
      ['for another audience', tokenOf({ sub: 'ann', aud: 'mail' })],
      ['for nobody in particular', tokenOf({ sub: 'ann' })],
      ['by a clock an hour behind', tokenOf({ ...good, iat: now - hour, exp: now - hour / 2 })],
      ['by a clock an hour ahead', tokenOf({ ...good, iat: now + hour, exp: now + 2 * hour })],
      ['not in force yet', tokenOf({ ...good, nbf: now + hour })],
      ['of another device', tokenOf({ ...good, device: 'her-phone' })],
      ['for another user', tokenOf(good), { user: 'bob' }],
    ]
    for (const [what, token, hello] of bad) {
      const { client, answer } = await greet(token, hello)
      const expected = { code: 'AUTHENTICATION_FAILED', category: 'auth', retryable: false }
      expect(answer.error, what).toMatchObject({ ...expected, outcome: 'notApplied' })
      expect((await endOf(client)).close, what).toBe(1008)
    }
    for (const node of [1, 2, 3]) {
      const { answer } = await greet(
        tokenOf({ ...good, device: 'tablet' }),
        { device: 'tablet' },
        node,
      )
      expect(answer).toMatchObject({ user: 'ann', device: 'tablet' })
    }
  })

  test('[NI7] without a token nobody is let in outside dev mode, on the same machine neither', async () => {
    const client = await WireClient.open(urlOf(1))
    const answer = await client.request({ t: 'hello:R', v: [1, 1], user: 'ann', device: 'd' })
    expect(codeOf(answer)).toBe('AUTHENTICATION_FAILED')
    expect((await fetch(`${urlOf(1)}/v1/cluster`)).status).toBe(401)
    const user = bearer({ sub: 'ann', aud: 'chat' })
    expect((await fetch(`${urlOf(1)}/v1/cluster`, { headers: user })).status).toBe(403)
    for (const path of ['/livez', '/readyz', '/metrics']) {
      expect((await fetch(`${urlOf(1)}${path}`)).status, path).toBe(200)
    }
  })

  test('[NI3] opens no conversation of others', async () => {
    const [ann, eve] = [await enter('ann'), await enter('eve', 2)]
    const sent = await ann.request(message('bob', 'private'))
    const conv = sent!['conv'] as string
    expect(codeOf(await eve.request({ t: 'msg:R', conv, msgId: 'e1', body: 1 }))).toBe('NOT_MEMBER')
    const page = { t: 'pull:R', conv, after: 0, limit: 9 }
    expect(codeOf(await eve.request(page))).toBe('NOT_MEMBER')
    const service = tokenOf({ sub: 'mailer', role: 'service', aud: 'chat' })
    const { client, answer } = await greet(service, { user: 'bob' }, 3)
    expect(answer).toMatchObject({ user: 'bob' })
    expect((await client.request(page))!['events']).toHaveLength(1)
  })

  test('[GW17] a session ends with its token', async () => {
    const iat = Math.floor(Date.now() / 1000)
    const brief = await enter('ann', 1, { iat, exp: iat + 1 })
    expect((await brief.request(message('bob', 'in-time')))!['seq']).toBeGreaterThan(0)
    expect(await endOf(brief)).toEqual({ close: 4001, code: 'AUTHENTICATION_FAILED' })
  })

  test('[GW17] [NI4] one that is revoked ends on every node, and stays refused over a restart', async () => {
    const token = tokenOf({ sub: 'mallory', aud: 'chat' })
    const sessions = await Promise.all([1, 2, 3].map((node) => greet(token, {}, node)))
    const other = await enter('ann', 2)
    expect((await post('/v1/cluster/revocations', { user: 'mallory' })).status).toBe(200)
    for (const { client } of sessions) {
      expect(await endOf(client)).toEqual({ close: 4001, code: 'AUTHENTICATION_FAILED' })
    }
    for (const { name } of cluster.nodes) {
      const told = async () =>
        (await cluster.output(name)).split('\n').some((line) => /"tokens.revoked"/.test(line))
      await expect.poll(told).toBe(true)
    }
    await cluster.kill('n2')
    await cluster.start('n2', options())
    await cluster.healthy()
    for (const node of [1, 2, 3]) {
      const { answer } = await greet(token, {}, node)
      expect(answer.error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retryable: false })
    }
    const later = Math.floor(Date.now() / 1000) + 1
    await expect
      .poll(async () => (await greet(tokenOf({ sub: 'mallory', aud: 'chat', iat: later }))).answer)
      .toMatchObject({ user: 'mallory' })
    expect(other.pushed.filter(({ t }) => t === 'error:N')).toEqual([])
  })

  test('[GW18] a viewer reads and writes nothing', async () => {
    const viewer = await enter('bob', 1, { role: 'viewer' })
    expect(codeOf(await viewer.request(message('ann', 'v1')))).toBe('FORBIDDEN')
    const listed = await viewer.request({ t: 'conv:R', op: 'list' })
    expect(listed!['conversations']).not.toHaveLength(0)
    const { id } = (listed!['conversations'] as { id: string }[])[0]!
    const call = (method: string, role: string) =>
      fetch(`${urlOf(1)}/v1/conversations/${id}/messages`, {
        method,
        headers: {
          ...bearer({ sub: 'bob', aud: 'chat', role, device: 'phone' }),
          'content-type': 'application/json',
        },
        ...(method === 'POST' ? { body: '{"body":"by http"}' } : {}),
      })
    expect((await call('POST', 'viewer')).status).toBe(403)
    expect((await call('GET', 'viewer')).status).toBe(200)
    expect((await call('POST', 'user')).status).toBe(201)
  })
})

describe('moderation', () => {
  test('[M-14] a refusal stores nothing, uses no seq, and is the same on every node for good', async () => {
    const [bob, other] = [await enter('bob', 2), await enter('carl', 3)]
    const carl = await enter('carl')
    const before = await carl.request(message('bob', 'before'))
    const spam = message('bob', 'offer', 'this is spam')
    const refused = await carl.request(spam)
    const expected = { code: 'REJECTED_SPAM', category: 'rejected', retryable: false }
    expect(refused!.error).toMatchObject({ ...expected, outcome: 'notApplied' })
    moderation.mode = 'accept'
    for (const node of [1, 2, 3]) {
      const again = await (await enter('carl', node)).request(spam)
      expect(again!.error, `n${node}`).toMatchObject(expected)
    }
    moderation.mode = 'judge'
    const after = await other.request(message('bob', 'after'))
    expect(after!['seq']).toBe((before!['seq'] as number) + 1)
    const shown = async () => {
      const page = await bob.request({ t: 'pull:R', conv: after!['conv'], after: 0, limit: 99 })
      return (page!['events'] as Frame[]).map(({ msgId }) => msgId)
    }
    // On bob's node it is there a moment later.
    await expect.poll(shown).toEqual(['before', 'after'])
    expect(bob.pushed.some(({ msgId }) => msgId === 'offer')).toBe(false)
  })

  test('[FI3] a hook that is broken refuses nobody for good', async () => {
    moderation.mode = 'fail'
    const dora = await enter('dora')
    const answer = await dora.request(message('bob', 'x1'))
    expect(answer!.error).toMatchObject({ code: 'OVERLOADED', retryable: true })
    moderation.mode = 'judge'
    expect((await dora.request(message('bob', 'x1')))!['duplicate']).toBe(false)
  })
})

describe('the table of errors', () => {
  /** `| `CODE` | category | yes/no | outcome | …` of docs/protocol.md. */
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  const table = new Map(
    [...page.matchAll(/^\| `([A-Z_]+)` +\| ([a-z]+) +\| (yes|no) +\| (\w+) /gm)].map((row) => [
      row[1]!,
      { category: row[2]!, retryable: row[3] === 'yes', outcome: row[4]! },
    ]),
  )

  /** How each comes about over the wire. */
  const provoked: Record<string, () => Promise<Frame | null>> = {
    INVALID_MESSAGE: async () => (await enter('ann')).request(message('bob', 'not an id')),
    UNSUPPORTED: async () => (await enter('ann')).request({ t: 'teleport:R' }),
    PAYLOAD_TOO_LARGE: async () =>
      (await enter('ann')).request(message('bob', 'big', 'x'.repeat(70_000))),
    PAYLOAD_MISMATCH: async () => {
      const ann = await enter('ann')
      await ann.request(message('bob', 'same', 1))
      return ann.request(message('bob', 'same', 2))
    },
    UNKNOWN_REPLY: async () =>
      (await enter('ann')).request({ ...message('bob', 'reply'), replyTo: 999_999 }),
    OUT_OF_ORDER: async () =>
      (await enter('ann')).request({ ...message('bob', 'late'), prev: 'never-sent' }),
    CANCELLED: async () => {
      const ann = await enter('ann')
      const { conv } = (await ann.request(message('bob', 'opens')))!
      await ann.request({ t: 'cancel:R', conv, msgId: 'undone' })
      return ann.request({ t: 'msg:R', conv, msgId: 'undone', body: 1 })
    },
    NOT_MEMBER: async () => {
      const { conv } = (await (await enter('ann')).request(message('bob', 'ours')))!
      return (await enter('eve')).request({ t: 'msg:R', conv, msgId: 'mine', body: 1 })
    },
    FORBIDDEN: async () =>
      (await enter('ann', 1, { role: 'viewer' })).request(message('bob', 'forbidden')),
    GROUP_NOT_FOUND: async () =>
      (await enter('ann')).request({ t: 'msg:R', conv: 'nowhere', msgId: 'lost', body: 1 }),
    GROUP_FULL: async () => {
      expect((await post('/v1/cluster/settings', { groupMembers: 2 })).status).toBe(200)
      const members = ['bob', 'carl']
      return (await enter('ann')).request({ t: 'conv:R', op: 'create', msgId: 'crowd', members })
    },
    USER_BLOCKED: async () => {
      const bob = await enter('bob')
      await bob.request({ t: 'conv:R', op: 'block', user: 'gus', msgId: 'no-gus' })
      return (await enter('gus')).request(message('bob', 'hello'))
    },
    REJECTED_SPAM: async () => (await enter('ann')).request(message('bob', 'offer', 'spam')),
    AUTHENTICATION_FAILED: async () => (await greet('nonsense')).answer,
    RATE_LIMITED: async () => {
      const hal = await enter('hal')
      const frames = Array.from({ length: 6 * DEVICE_RATE + 5 }, (_, at) =>
        message('bob', `h${at}`),
      )
      const answers = await Promise.all(frames.map((frame) => hal.request(frame)))
      return answers.find((answer) => codeOf(answer) === 'RATE_LIMITED') ?? null
    },
    OVERLOADED: async () => {
      moderation.mode = 'fail'
      const answer = await (await enter('ann')).request(message('bob', 'unseen'))
      moderation.mode = 'judge'
      return answer
    },
    BEHIND: async () => {
      const ann = await enter('ann')
      const mark = `${ann.hello['epoch']}.zzzzzz`
      const { conv } = (await ann.request(message('bob', 'marked')))!
      return ann.request({ t: 'pull:R', conv, after: 0, limit: 1, mark })
    },
    REPLACED: async () => {
      const token = tokenOf({ sub: 'ann', aud: 'chat' })
      const { client } = await greet(token, { device: 'only' })
      await greet(token, { device: 'only' })
      await endOf(client)
      return client.pushed.findLast(({ t }) => t === 'error:N') as Frame
    },
    WINDOW_EXPIRED: async () => {
      expect((await post('/v1/cluster/settings', { windowMs: 1_000 })).status).toBe(200)
      const ann = await enter('ann')
      await expect
        .poll(async () => codeOf(await ann.request({ ...message('bob', 'old'), since: 1 })), {
          timeout: 30_000,
          interval: 500,
        })
        .toBe('WINDOW_EXPIRED')
      return ann.request({ ...message('bob', 'old'), since: 1 })
    },
  }

  test.each(['INVALID_MESSAGE', 'USER_BLOCKED', 'GROUP_NOT_FOUND', 'AUTHENTICATION_FAILED'])(
    '[M-44] %s is not to be retried',
    async (code) => {
      const answer = await provoked[code]!()
      expect(answer?.error).toMatchObject({ code, retryable: false, outcome: 'notApplied' })
      expect(answer?.error).not.toHaveProperty('retryAfterMs')
    },
  )

  test.each(Object.keys(provoked))('[M-45] %s comes as the table has it', async (code) => {
    const answer = await provoked[code]!()
    expect(answer?.error).toMatchObject({ code, ...table.get(code) })
    expect(answer!.error!.message).toMatch(/\w+ \w+/)
    if (['RATE_LIMITED', 'OVERLOADED'].includes(code)) {
      expect((answer!.error as { retryAfterMs?: number }).retryAfterMs).toBeGreaterThan(0)
    }
  })

  test('[M-45] the rest of the table has no other way to the wire here', () => {
    const elsewhere = [
      ...['NO_LEADER', 'NOT_LEADER', 'NO_QUORUM', 'OUTCOME_UNKNOWN', 'DISK_FULL', 'DRAINING'],
      ...['POSITION_UNRECOVERABLE', 'SEQ_EXHAUSTED', 'INTERNAL'],
    ]
    expect([...table.keys()].sort()).toEqual([...Object.keys(provoked), ...elsewhere].sort())
  })
})
