// Three real nodes that show each other certificates, with clients that come by TLS.
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ChatClient } from '#client'
import { main } from '../../cli/main.ts'
import { ProcessCluster } from './process-cluster.ts'
import { frame, HELLO, REFUSED, sayToPeer } from './raw-peer.ts'

const PATIENCE = { timeout: 60_000, interval: 100 }
const NAMES = ['n1', 'n2', 'n3'] as const

/** Runs a command in this process. */
async function parley(...words: string[]): Promise<{ code: number; said: string }> {
  const said: string[] = []
  const take = (text: unknown) => {
    said.push(String(text))
    return true
  }
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation(take),
  )
  try {
    return { code: await main(words), said: said.join('') }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

/** Of all nodes together. */
async function counted(cluster: ProcessCluster, series: string): Promise<number[]> {
  return Promise.all(
    cluster.running.map(async ({ url }) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')[1],
      )
    }),
  )
}

const linesOf = async (cluster: ProcessCluster, name: string, event: string): Promise<string> =>
  (await cluster.output(name))
    .split('\n')
    .filter((line) => line.includes(`"${event}"`))
    .join('\n')

describe('by certificates', () => {
  let cluster: ProcessCluster
  let certs: string
  const usual = tls.getCACertificates('default')
  const file = (name: string) => join(certs, name)
  const flagsOf = (name: string): string[] => [
    ...['--tls-cert-file', file(`${name}.crt`), '--tls-key-file', file(`${name}.key`)],
    ...['--peer-cert-file', file(`${name}.crt`), '--peer-key-file', file(`${name}.key`)],
    ...['--peer-ca-file', file('peers.crt'), '--security-check-every', '1s'],
  ]
  const make = (name: string, dir: string, ...more: string[]) =>
    parley('certs', 'node', name, '--host', '127.0.0.1', '--dir', dir, ...more)
  const connect = (user: string) =>
    ChatClient.connect({ urls: cluster.nodes.map(({ url }) => url), user, device: 'phone' })
  /** Of the certificate that new clients of the node see. */
  const serialOf = (name: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(cluster.node(name).url)
      const socket = tls.connect({ host: hostname, port: Number(port) }, () => {
        resolve(socket.getPeerX509Certificate()!.serialNumber)
        socket.destroy()
      })
      socket.once('error', reject)
    })

  beforeAll(async () => {
    cluster = await ProcessCluster.create(3, undefined, 'https')
    certs = join(cluster.directory, 'certs')
    await parley('certs', 'init', '--dir', certs)
    for (const name of NAMES) await make(name, certs)
    await copyFile(file('ca.crt'), file('peers.crt'))
    tls.setDefaultCACertificates([...usual, await readFile(file('ca.crt'), 'utf8')])
    await Promise.all(NAMES.map((name) => cluster.start(name, { flags: flagsOf(name) })))
    await cluster.healthy()
  })
  afterAll(async () => {
    tls.setDefaultCACertificates(usual)
    await cluster.close()
  })

  test('[NI8] a cluster forms, and clients send by wss and operate by https', async () => {
    const ann = await connect('ann')
    expect((await ann.direct('bob').send('hi').sent).seq).toBe(1)
    ann.close()
    const urls = cluster.nodes.map(({ url }) => url).join(',')
    const status = await parley('status', '--url', urls, '--ca-file', file('ca.crt'))
    expect(status).toMatchObject({ code: 0, said: expect.stringContaining('HEALTHY') as string })
    expect((await cluster.state('n1'))?.members[0]?.url).toMatch(/^https:/)
    await expect(fetch(cluster.node('n1').url.replace('https', 'http'))).rejects.toThrow(
      'fetch failed',
    )
  })

  test('[NI8] [PF7] who has a certificate of the same authority speaks as no other node', async () => {
    const state = (await cluster.state('n1')) as unknown as { clusterId: string; epoch: string }
    const members = (await cluster.state('n1'))!.members
    const raftIdOf = (name: string) => members.find((member) => member.name === name)!.id
    await make('app', certs)
    const say = async (certificate: string, name: string, raftId: string) => {
      const { clusterId, epoch } = state
      const features = { version: '', levels: { min: 1, max: 99 }, level: 1 }
      const hello = { protocol: { min: 1, max: 9 }, features, clusterId, epoch, name, raftId }
      const [cert, key] = await Promise.all(
        ['crt', 'key'].map((kind) => readFile(file(`${certificate}.${kind}`), 'utf8')),
      )
      const { peerAddress } = cluster.node('n1')
      const credentials = { cert: cert!, key: key! }
      const waitMs = 15_000
      return sayToPeer(peerAddress, frame(HELLO, hello), { credentials, waitMs })
    }
    const impostors = [
      ['n3', 'n2', 'n2 shows a certificate of n3'],
      ['n3', 'n3', 'n3 gives the Raft id of n2'],
      ['app', 'n2', 'n2 shows a certificate of app'],
      ['app', 'app', 'app gives the Raft id of n2'],
    ] as const
    const answers = impostors.map(([certificate, name]) => say(certificate, name, raftIdOf('n2')))
    for (const [at, { frames, ended }] of (await Promise.all(answers)).entries()) {
      expect([frames.map(({ kind }) => kind), ended]).toEqual([[REFUSED], true])
      expect(JSON.parse(frames[0]!.body)).toMatchObject({
        code: 'WRONG_NAME',
        message: expect.stringContaining(impostors[at]![2]) as string,
      })
    }
    const misnamed = await counted(cluster, 'parley_peer_untrusted_total{reason="name"}')
    expect(misnamed[0]).toBe(4)
    expect(await linesOf(cluster, 'n1', 'peer.refused')).toContain('app gives the Raft id of n2')
    await cluster.healthy()
  })

  test('[NI10] authority, keys and certificates are exchanged under load, and no client sees an error', async () => {
    const ann = await connect('ann')
    const room = ann.direct('carl')
    let isOver = false
    const seqs: number[] = []
    const sending = (async () => {
      while (!isOver) seqs.push((await room.send('on and on').sent).seq)
    })()
    const before = await serialOf('n1')
    const next = join(cluster.directory, 'next')
    await parley('certs', 'init', '--dir', next)
    for (const name of NAMES) await make(name, next)
    // First everybody believes both authorities, then everybody shows a certificate of the new one.
    const [old, young] = await Promise.all(
      [certs, next].map((folder) => readFile(join(folder, 'ca.crt'), 'utf8')),
    )
    const changes = () => counted(cluster, 'parley_tls_reloads_total{outcome="changed"}')
    await writeFile(file('peers.crt'), `${old}${young}`)
    await vi.waitFor(
      async () => expect(Math.min(...(await changes()))).toBeGreaterThan(0),
      PATIENCE,
    )
    tls.setDefaultCACertificates([...usual, old!, young!])
    for (const name of NAMES) {
      for (const kind of ['key', 'crt'])
        await copyFile(join(next, `${name}.${kind}`), file(`${name}.${kind}`))
    }
    await vi.waitFor(
      async () => expect(Math.min(...(await changes()))).toBeGreaterThan(2),
      PATIENCE,
    )
    expect(await serialOf('n1')).not.toBe(before)
    // Without the old authority every link is made anew.
    await writeFile(file('peers.crt'), young!)
    await vi.waitFor(
      async () => expect(Math.min(...(await changes()))).toBeGreaterThan(3),
      PATIENCE,
    )
    const lost = () => counted(cluster, 'parley_peer_disconnects_total')
    await vi.waitFor(async () => expect(Math.min(...(await lost()))).toBeGreaterThan(0), PATIENCE)
    await cluster.healthy()
    isOver = true
    await sending
    expect(seqs.length).toBeGreaterThan(20)
    expect(seqs).toEqual(seqs.map((_, at) => at + 1))
    expect(await counted(cluster, 'parley_tls_reloads_total{outcome="failed"}')).toEqual([0, 0, 0])
    ann.close()
  })

  test('[NI10] what cannot be used changes nothing, and is told', async () => {
    const good = await readFile(file('n1.crt'), 'utf8')
    await writeFile(file('n1.crt'), 'not a certificate')
    const failed = () => counted(cluster, 'parley_tls_reloads_total{outcome="failed"}')
    await vi.waitFor(async () => expect((await failed())[0]).toBeGreaterThan(0), PATIENCE)
    expect((await cluster.state('n1'))?.warnings.join()).toContain('n1.crt holds no certificate')
    expect(await linesOf(cluster, 'n1', 'security.reload_failed')).toContain('stays in force')
    await writeFile(file('n1.crt'), good)
    const warnings = async () => (await cluster.state('n1'))?.warnings
    await vi.waitFor(async () => expect(await warnings()).toEqual([]), PATIENCE)
  })

  test('[NI12] a node whose certificate is revoked is outside at once, until it has another', async () => {
    const next = join(cluster.directory, 'next')
    const dir = ['--dir', next]
    // The list is there already, and empty: it is exchanged like every other file.
    await parley('certs', 'revoke', ...dir)
    for (const name of NAMES) {
      await cluster.signal(name, 'SIGTERM')
      await cluster.start(name, {
        flags: [...flagsOf(name), '--peer-crl-file', join(next, 'ca.crl')],
      })
      await cluster.healthy()
    }
    expect(await parley('certs', 'revoke', 'n3', ...dir)).toMatchObject({ code: 0 })
    const warnings = async (name: string) => (await cluster.state(name))?.warnings.join() ?? ''
    await vi.waitFor(async () => expect(await warnings('n3')).toContain('is revoked'), PATIENCE)
    await vi.waitFor(async () => expect(await warnings('n1')).toContain('is revoked'), PATIENCE)
    const ready = async () => (await fetch(`${cluster.node('n3').url}/readyz`)).status
    await vi.waitFor(async () => expect(await ready()).toBe(503), PATIENCE)
    const ann = await ChatClient.connect({
      urls: ['n1', 'n2'].map((name) => cluster.node(name).url),
      user: 'ann',
      device: 'revoking',
    })
    expect((await ann.direct('erik').send('two of three').sent).seq).toBe(1)
    ann.close()
    expect(await parley('certs', 'renew', 'n3', '--new-key', ...dir)).toMatchObject({ code: 0 })
    for (const kind of ['key', 'crt']) await copyFile(join(next, `n3.${kind}`), file(`n3.${kind}`))
    await cluster.healthy()
    await vi.waitFor(async () => expect(await ready()).toBe(200), PATIENCE)
  })

  test('[NI8] a node with a certificate that expired, or of another node, stays outside; the others go on', async () => {
    const next = join(cluster.directory, 'next')
    for (const [fault, word] of [
      ['expired', 'has expired'],
      ['name', 'shows a certificate of n1'],
    ] as const) {
      await cluster.signal('n3', 'SIGTERM')
      const bad = join(cluster.directory, fault)
      if (fault === 'name') {
        await copyFile(file('n1.crt'), `${bad}.crt`)
        await copyFile(file('n1.key'), `${bad}.key`)
      } else {
        await parley('certs', 'renew', 'n3', '--dir', next, '--days', '0.000001')
        await copyFile(join(next, 'n3.crt'), `${bad}.crt`)
        await copyFile(join(next, 'n3.key'), `${bad}.key`)
      }
      const flags = flagsOf('n3').map((flag) =>
        flag.includes('/n3.') ? flag.replace(/^.*\/n3\./, `${bad}.`) : flag,
      )
      await cluster.start('n3', { flags })
      const told = async () =>
        (await Promise.all(['n1', 'n2'].map((name) => cluster.output(name)))).join('\n')
      await vi.waitFor(async () => expect(await told()).toContain(word), PATIENCE)
      const seen = `parley_peer_untrusted_total{reason="${fault}"}`
      const others = async () => {
        const text = await (await fetch(`${cluster.node('n1').url}/metrics`)).text()
        return Number(
          text
            .split('\n')
            .find((line) => line.startsWith(`${seen} `))
            ?.split(' ')[1],
        )
      }
      await vi.waitFor(async () => expect(await others()).toBeGreaterThan(0), PATIENCE)
      const ann = await ChatClient.connect({
        urls: ['n1', 'n2'].map((name) => cluster.node(name).url),
        user: 'ann',
        device: fault,
      })
      expect((await ann.direct('dora').send(fault).sent).seq).toBeGreaterThan(0)
      ann.close()
      expect((await cluster.state('n1'))?.warnings.join()).toMatch(/turned away|certificate/)
    }
    await cluster.signal('n3', 'SIGTERM')
    for (const kind of ['crt', 'key'])
      await copyFile(file(`n3.${kind}`), join(cluster.directory, `good.${kind}`))
    await cluster.start('n3', { flags: flagsOf('n3') })
    await cluster.healthy()
  })
})

test('[NI9] a cluster gets its secret, and a node with another one stays outside until the others accept its own as well', async () => {
  const cluster = await ProcessCluster.create(3)
  const ours = join(cluster.directory, 'ours')
  const theirs = join(cluster.directory, 'theirs')
  await parley('certs', 'secret', ours)
  await parley('certs', 'secret', theirs)
  const flags = (path: string) => ['--cluster-secret-file', path, '--security-check-every', '1s']
  const say = async (names: readonly string[], seq: number) => {
    const urls = names.map((name) => cluster.node(name).url)
    const ann = await ChatClient.connect({ urls, user: 'ann', device: 'phone' })
    expect((await ann.direct('bob').send('hi').sent).seq).toBe(seq)
    ann.close()
  }
  try {
    await cluster.startAll()
    await cluster.healthy()
    await say(NAMES, 1)
    // One alone that speaks TLS is outside, and both sides know why; all of them together go on.
    await cluster.signal('n3', 'SIGTERM')
    await cluster.start('n3', { flags: flags(ours) })
    const plainly = async () =>
      `${await linesOf(cluster, 'n1', 'peer.protocol')}\n${await linesOf(cluster, 'n3', 'peer.untrusted')}`
    for (const word of ['a peer speaks TLS, and this node does not', 'it speaks without TLS']) {
      await vi.waitFor(async () => expect(await plainly()).toContain(word), PATIENCE)
    }
    await say(['n1', 'n2'], 2)
    await Promise.all(NAMES.map((name) => cluster.signal(name, 'SIGTERM')))
    await Promise.all(NAMES.map((name) => cluster.start(name, { flags: flags(ours) })))
    await cluster.healthy()
    await say(NAMES, 3)
    await cluster.signal('n3', 'SIGTERM')
    await cluster.start('n3', { flags: flags(theirs) })
    const untrusted = async () =>
      (await linesOf(cluster, 'n1', 'peer.untrusted')) +
      (await linesOf(cluster, 'n2', 'peer.untrusted'))
    await vi.waitFor(
      async () => expect(await untrusted()).toContain('another cluster secret'),
      PATIENCE,
    )
    const own = () => linesOf(cluster, 'n3', 'peer.untrusted')
    await vi.waitFor(async () => expect(await own()).toMatch(/cluster secret/), PATIENCE)
    // Outside means outside: not ready, and no member of what goes on without it.
    const ready = await fetch(`${cluster.node('n3').url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('quorum')])
    const silent = async () => {
      const { members = [] } = (await cluster.state('n1')) ?? {}
      return members.find(({ name }) => name === 'n3')?.state
    }
    await vi.waitFor(async () => expect(await silent()).toBe('unreachable'), PATIENCE)
    const status = await parley('status', '--url', cluster.node('n1').url)
    expect(status).toMatchObject({ code: 3 })
    await say(['n1', 'n2'], 4)
    await writeFile(
      ours,
      `${(await readFile(ours, 'utf8')).trim()}\n${await readFile(theirs, 'utf8')}`,
    )
    await cluster.healthy()
  } finally {
    await cluster.close()
  }
})
