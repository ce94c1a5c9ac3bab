import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { makeCertificate } from './certificate.ts'
import { ipBytes } from './ip-bytes.ts'

const DAY_MS = 86_400_000
const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

function chain(notAfter: number, names: readonly string[]) {
  const ca = pair()
  const issuer = { commonName: 'cluster CA', key: ca.privateKey }
  const dates = { notBefore: Date.UTC(2026, 0, 1), notAfter, serial: randomBytes(16) }
  const root = makeCertificate({
    commonName: 'cluster CA',
    publicKey: ca.publicKey,
    names: [],
    issuer,
    ...dates,
  })
  const own = pair()
  const leaf = makeCertificate({
    commonName: 'n1',
    publicKey: own.publicKey,
    names,
    issuer,
    ...dates,
  })
  return { root: new X509Certificate(root), leaf: new X509Certificate(leaf), key: own.privateKey }
}

test('a certificate says what it was asked to say, and its authority vouches for it', () => {
  const names = ['parley://n1', 'n1.example', '10.0.0.1', '::1', '2001:db8::7:1']
  const { root, leaf, key } = chain(Date.UTC(2049, 11, 31, 23, 59, 59), names)
  expect(leaf.subject).toBe('CN=n1')
  expect(leaf.issuer).toBe('CN=cluster CA')
  expect(leaf.subjectAltName).toBe(
    'URI:parley://n1, DNS:n1.example, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:7:1',
  )
  expect(leaf.validFromDate.toISOString()).toBe('2026-01-01T00:00:00.000Z')
  expect(leaf.validToDate.toISOString()).toBe('2049-12-31T23:59:59.000Z')
  expect([leaf.ca, root.ca]).toEqual([false, true])
  expect(leaf.checkIssued(root) && leaf.verify(root.publicKey)).toBe(true)
  expect(leaf.checkPrivateKey(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })))).toBe(
    true,
  )
  expect(leaf.checkHost('n1.example')).toBe('n1.example')
  expect(leaf.checkIP('10.0.0.1')).toBe('10.0.0.1')
  // serverAuth and clientAuth
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
})

test('serials and dates of every kind can be read again', () => {
  for (let at = 0; at < 50; at++) {
    const notAfter = Date.UTC(2027 + at, 5, 1) - (Date.UTC(2027 + at, 5, 1) % DAY_MS)
    const { root, leaf } = chain(notAfter, ['parley://n1'])
    expect(leaf.validToDate.getTime()).toBe(notAfter)
    expect(leaf.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
    expect(leaf.verify(root.publicKey)).toBe(true)
  }
})

test('tells addresses from names', () => {
  expect(ipBytes('127.0.0.1')).toEqual(Uint8Array.of(127, 0, 0, 1))
  expect(ipBytes('::ffff:1.2.3.4')?.slice(10)).toEqual(Uint8Array.of(255, 255, 1, 2, 3, 4))
  for (const name of ['n1', '1.2.3', '256.1.1.1', 'a:b:c:z', '']) expect(ipBytes(name)).toBe(null)
})
