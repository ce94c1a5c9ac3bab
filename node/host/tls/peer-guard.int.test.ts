import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Connection } from '#cluster'
import { testAuthority } from '../../identity/certificates/testing.ts'
import { createLogger } from '../../logger.ts'
import { networkContract } from '../network.contract.ts'
import { NodeNetwork } from '../node-network.ts'
import { type ClusterSecret, readClusterSecrets } from './cluster-secret.ts'
import { PeerGuard } from './peer-guard.ts'
import { clientOptions, type PeerCredentials } from './peer-tls.ts'
import { readTlsMaterial, type TlsMaterial } from './tls-material.ts'
import { freeAddress } from '../testing/free-address.ts'

const authority = testAuthority()
const other = testAuthority('other CA')
let folder = ''
let ours: TlsMaterial
let secrets: readonly ClusterSecret[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-'))
  await writeFile(join(folder, 'a'), 'a'.repeat(32))
  await writeFile(join(folder, 'b'), 'b'.repeat(32))
  ours = await material(authority.issue(['parley://n1', 'n7']), authority.ca)
  secrets = (await readClusterSecrets([join(folder, 'a'), join(folder, 'b')])).secrets
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function material(
  pair: { readonly cert: string; readonly key: string },
  ca: string,
  crl?: string,
): Promise<TlsMaterial> {
  const files = {
    certFile: join(folder, 'crt'),
    keyFile: join(folder, 'key'),
    caFile: join(folder, 'ca'),
    ...(crl === undefined ? {} : { crlFile: join(folder, 'crl') }),
  }
  if (crl !== undefined) await writeFile(join(folder, 'crl'), crl)
  await writeFile(files.certFile, pair.cert)
  await writeFile(files.keyFile, pair.key)
  await writeFile(files.caFile, ca)
  return readTlsMaterial(files)
}

const guardOf = (credentials: Partial<PeerCredentials>, lines: string[] = []): PeerGuard => {
  const logger = createLogger({ node: 'n1', write: (line) => lines.push(line) })
  return new PeerGuard({ certificate: null, secrets: [], patterns: [], ...credentials }, logger)
}

/** A listener that names whom it lets in, and says what it logs. */
async function listening(credentials: Partial<PeerCredentials>) {
  const lines: string[] = []
  const guard = guardOf(credentials, lines)
  const accepted: Connection[] = []
  const listener = await new NodeNetwork(guard).listen('127.0.0.1:0', (connection) => {
    connection.onData = (bytes) => connection.write(bytes)
    accepted.push(connection)
  })
  const port = Number(listener.address.split(':')[1])
  const complaint = async (): Promise<{ fault: string; message: string; direction: string }> => {
    await vi.waitFor(() => expect(lines).not.toEqual([]), 15_000)
    return JSON.parse(lines[0]!) as { fault: string; message: string; direction: string }
  }
  return { ...listener, guard, accepted, port, complaint, lines }
}

const dial = (address: string, credentials: Partial<PeerCredentials>) =>
  new NodeNetwork(guardOf(credentials)).connect(address, 10_000)

const ended = (connection: Connection): Promise<void> =>
  new Promise((resolve) => {
    connection.onClose = () => resolve()
  })

describe('a network of peers with certificates', () => {
  networkContract(async () => ({
    network: new NodeNetwork(guardOf({ certificate: ours })),
    freeAddress,
  }))
})

describe('a network of peers with a secret', () => {
  networkContract(async () => ({ network: new NodeNetwork(guardOf({ secrets })), freeAddress }))
})

describe('who belongs to the cluster', () => {
  test('[NI8] a certificate proves its names to both sides, and host names only if it has no others', async () => {
    const server = await listening({ certificate: ours })
    const hosts = await material(authority.issue(['n2', 'n3.example', '10.0.0.1']), authority.ca)
    const near = await dial(server.address, { certificate: hosts })
    expect(near.names).toEqual(['n1'])
    await vi.waitFor(() => expect(server.accepted[0]?.names).toEqual(['n2', 'n3.example']), 15_000)
    near.destroy()
    await server.close()
  })

  test('[NI8] with patterns a certificate of the same authority is none of a peer unless one describes it', async () => {
    const patterns = ['parley://prod/{name}']
    const of = async (...names: string[]) => material(authority.issue(names), authority.ca)
    const server = await listening({ certificate: await of('parley://prod/n1'), patterns })
    const near = await dial(server.address, { certificate: await of('parley://prod/n2'), patterns })
    await vi.waitFor(() => expect(server.accepted[0]?.names).toEqual(['n2']), 15_000)
    near.destroy()
    // Of another cluster, and of what has nothing to do with any.
    for (const names of [['parley://test/n2', 'n2'], ['parley://n2'], ['n2', 'app.example']]) {
      const certificate = await of(...names)
      await ended(await dial(server.address, { certificate, patterns }))
      const other = await listening({ certificate })
      const call = dial(other.address, { certificate: ours, patterns })
      await expect(call).rejects.toThrow('a name as --peer-names has it, parley://prod/{name}')
      await other.close()
    }
    expect(server.guard.faults.untrusted.value).toBe(3)
    expect(server.accepted).toHaveLength(1)
    await server.close()
  })

  test('[NI9] a secret proves no names; each that is accepted will do, whichever is tried first', async () => {
    const server = await listening({ secrets: [secrets[1]!] })
    const network = new NodeNetwork(guardOf({ secrets }))
    await expect(network.connect(server.address, 10_000)).rejects.toThrow('refuses this node')
    const near = await network.connect(server.address, 10_000)
    expect(near.names).toBeUndefined()
    near.destroy()
    await server.close()
  })

  test.each([
    [
      'untrusted',
      () => material(other.issue(['parley://n2']), authority.ca),
      'no authority of --peer-ca-file',
    ],
    ['untrusted', () => material(authority.issue(['10.0.0.1']), authority.ca), 'names no node'],
    [
      'expired',
      () =>
        material(authority.issue(['parley://n2'], { notAfter: Date.now() - 1_000 }), authority.ca),
      'has expired: renew it with',
    ],
    [
      'not_yet_valid',
      () =>
        material(
          authority.issue(['parley://n2'], { notBefore: Date.now() + 3_600_000 }),
          authority.ca,
        ),
      'the clock of one of the machines',
    ],
  ] as const)(
    '[NI8] a certificate that is %s is turned away, by either side',
    async (fault, make, why) => {
      const bad = await make()
      const server = await listening({ certificate: ours })
      const near = await dial(server.address, { certificate: bad })
      await ended(near)
      expect(await server.complaint()).toMatchObject({
        event: 'peer.untrusted',
        fault,
        direction: 'in',
      })
      expect((await server.complaint()).message).toContain(why)
      expect(server.guard.faults[fault].value).toBe(1)
      expect(server.guard.recentFault).toContain(why)
      expect(server.accepted).toEqual([])
      await server.close()
      const wrong = await listening({ certificate: bad })
      await expect(dial(wrong.address, { certificate: ours })).rejects.toThrow(why)
      await wrong.close()
    },
  )

  test('[NI8] an authority that one side does not know makes no peer of the other', async () => {
    const server = await listening({ certificate: ours })
    const theirs = await material(other.issue(['parley://n2']), other.ca)
    await expect(dial(server.address, { certificate: theirs })).rejects.toThrow('no authority')
    expect(server.accepted).toEqual([])
    await server.close()
  })

  test('[NI9] a wrong secret, a certificate for a secret and the other way round are turned away', async () => {
    const bySecret = await listening({ secrets: [secrets[0]!] })
    const wrong = { ...secrets[0]!, key: secrets[1]!.key }
    for (const credentials of [
      { secrets: [secrets[1]!] },
      { secrets: [wrong] },
      { certificate: ours },
    ]) {
      await expect(dial(bySecret.address, credentials)).rejects.toThrow('refuses this node')
    }
    expect(await bySecret.complaint()).toMatchObject({ fault: 'secret' })
    expect(bySecret.guard.faults.secret.value).toBe(3)
    const byCertificate = await listening({ certificate: ours })
    await expect(dial(byCertificate.address, { secrets })).rejects.toThrow('it shows a certificate')
    expect([bySecret.accepted, byCertificate.accepted]).toEqual([[], []])
    await bySecret.close()
    await byCertificate.close()
  })

  test('[NI8] whoever has both finds those that have either, so that one may take the place of the other', async () => {
    const both = { certificate: ours, secrets }
    for (const one of [{ secrets }, { certificate: ours }, both]) {
      const server = await listening(one)
      ;(await dial(server.address, both)).destroy()
      await server.close()
      const mixed = await listening(both)
      ;(await dial(mixed.address, one)).destroy()
      await mixed.close()
    }
  })
})

describe('what an authority takes back', () => {
  const below = authority.below('between CA')
  const bad = below.issue(['parley://n2'])
  const good = below.issue(['parley://n2'])
  const chain = (pair: { cert: string; key: string }) => ({ ...pair, cert: pair.cert + below.ca })

  test('[NI12] makes no peer any more, on either side', async () => {
    // By the authority between, which signs a list of its own.
    const list = `${authority.revoking([])}${below.revoking([bad.cert])}`
    const own = await material(authority.issue(['parley://n1']), `${authority.ca}${below.ca}`, list)
    const server = await listening({ certificate: own })
    const certificate = await material(chain(bad), authority.ca)
    await ended(await dial(server.address, { certificate }))
    expect(await server.complaint()).toMatchObject({ fault: 'revoked' })
    expect((await server.complaint()).message).toContain('is revoked since 20')
    expect(server.guard.recentFault).toMatch(/^127\.0\.0\.1: /)
    const wrong = await listening({ certificate })
    await expect(dial(wrong.address, { certificate: own })).rejects.toThrow('is revoked since')
    await wrong.close()
    const other = await material(chain(good), authority.ca)
    const near = await dial(server.address, { certificate: other })
    await vi.waitFor(() => expect(server.accepted).toHaveLength(1), 15_000)
    near.destroy()
    expect(server.guard.faults.revoked.value).toBe(1)
    await server.close()
  })

  test('[NI12] ends connections that are open when the list comes, whoever dialled, and no others', async () => {
    const pair = authority.issue(['parley://n1'])
    const [gone, staying] = [authority.issue(['parley://n2']), authority.issue(['parley://n3'])]
    const certificate = await material(pair, authority.ca, authority.revoking([]))
    const server = await listening({ certificate })
    const theirs = await listening({ certificate: await material(gone, authority.ca) })
    const dialled = await dial(server.address, { certificate: await material(gone, authority.ca) })
    const other = await dial(server.address, { certificate: await material(staying, authority.ca) })
    const own = await new NodeNetwork(server.guard).connect(theirs.address, 10_000)
    await vi.waitFor(() => expect(server.accepted).toHaveLength(2), 15_000)
    let isOtherOpen = true
    const ends = [ended(dialled), ended(own)]
    void ended(other).then(() => (isOtherOpen = false))
    const revoked = await material(pair, authority.ca, authority.revoking([gone.cert]))
    server.guard.change({ certificate: revoked, secrets: [], patterns: [] })
    await Promise.all(ends)
    const echoed = new Promise((resolve) => (other.onData = resolve))
    other.write(Buffer.from('still there'))
    await echoed
    expect(isOtherOpen).toBe(true)
    other.destroy()
    await server.close()
    await theirs.close()
  })

  test('[NI12] a list past its date holds on; one by somebody else, or none, is refused', async () => {
    const pair = authority.issue(['parley://n1'])
    const old = authority.revoking([bad.cert, pair.cert], 1_000)
    const own = await material(pair, authority.ca, old)
    expect([own.revoked?.nextUpdate, own.revokedSince !== null]).toEqual([1_000, true])
    for (const [crl, why] of [
      [other.revoking([]), 'signed by no authority of --peer-ca-file'],
      [`${authority.revoking([])}${other.revoking([])}`, 'signed by no authority'],
      ['nothing', 'holds no list of revoked certificates'],
      ['-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----', 'cannot be used'],
    ] as const) {
      await expect(material(pair, authority.ca, crl)).rejects.toThrow(why)
    }
  })
})

describe('strangers', () => {
  test.each([
    ['bytes', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an introduction in clear', Buffer.from([40, 0, 0, 0, 1, 2, 3, 4, 1, 123])],
    ['nothing that anybody reads', Buffer.alloc(70_000, 7)],
  ])('[NI8] %s get no further than the handshake', async (_what, bytes) => {
    const server = await listening({ certificate: ours })
    const socket = net.connect(server.port, '127.0.0.1', () => socket.write(bytes))
    socket.on('error', () => {})
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(await server.complaint()).toMatchObject({ fault: 'handshake', direction: 'in' })
    expect(server.guard.recentFault).toBe(null)
    expect(server.accepted).toEqual([])
    await server.close()
  })

  test('[NI8] TLS without a certificate gets no further either, nor does a session taken up again', async () => {
    const server = await listening({ certificate: ours, secrets })
    const call = async (options: tls.ConnectionOptions) => {
      let session: Buffer | undefined
      const socket = tls.connect({ host: '127.0.0.1', port: server.port, ...options })
      socket.on('error', () => {})
      socket.on('session', (one) => (session = one))
      socket.on('data', () => socket.destroy())
      socket.on('secureConnect', () => socket.write('hello'))
      await new Promise((resolve) => socket.once('close', resolve))
      return session
    }
    const nobody = { rejectUnauthorized: false }
    await call(nobody)
    expect(await server.complaint()).toMatchObject({ fault: 'no_certificate' })
    expect(server.accepted).toEqual([])
    // A member's tickets are worth nothing later: neither his certificate nor the secret is behind them.
    const tickets = [
      await call(clientOptions({ certificate: ours, secrets: [], patterns: [] }, null)),
      await call(clientOptions({ certificate: null, secrets, patterns: [] }, secrets[0]!)),
    ]
    expect(server.accepted.length).toBe(2)
    for (const session of tickets) {
      expect(session).toBeDefined()
      await call({ ...nobody, session: session! })
      expect(server.accepted.length).toBe(2)
    }
    await server.close()
  })

  test('[NI9] a suite that goes with no secret is no way around it', async () => {
    const server = await listening({ certificate: ours, secrets })
    const options = clientOptions({ certificate: null, secrets, patterns: [] }, secrets[0]!)
    const socket = tls.connect({
      host: '127.0.0.1',
      port: server.port,
      ...options,
      ciphers: 'TLS_AES_256_GCM_SHA384',
    })
    socket.on('error', () => {})
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(server.accepted).toEqual([])
    await server.close()
  })
})

describe('credentials that change', () => {
  test('[NI10] go for new connections; old ones live on, unless what let them in is gone', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const server = await listening({ certificate: ours, secrets })
      const bySecret = await dial(server.address, { secrets: [secrets[0]!] })
      const byCertificate = await dial(server.address, { certificate: ours })
      await vi.waitFor(() => expect(server.accepted.length).toBe(2), 15_000)
      const ends = [ended(bySecret), ended(byCertificate)]
      let isCertificateOpen = true
      void ends[1]!.then(() => (isCertificateOpen = false))
      const renewed = await material(authority.issue(['parley://n1']), `${authority.ca}${other.ca}`)
      server.guard.change({ certificate: renewed, secrets: [secrets[1]!], patterns: [] })
      await expect(dial(server.address, { secrets: [secrets[0]!] })).rejects.toThrow('it shows')
      await vi.advanceTimersByTimeAsync(10_000)
      await ends[0]
      expect(isCertificateOpen).toBe(true)
      const changed = await material(other.issue(['parley://n1']), other.ca)
      server.guard.change({ certificate: changed, secrets: [], patterns: [] })
      await vi.advanceTimersByTimeAsync(10_000)
      await ends[1]
      await server.close()
    } finally {
      vi.useRealTimers()
    }
  })
})
