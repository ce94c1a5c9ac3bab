import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { derTime, derValue, derValues } from './der-reader.ts'
import { certificateId, makeRevocationList, readRevocationLists } from './revocation-list.ts'
import { testAuthority } from './testing.ts'

const authority = testAuthority()
const root = new X509Certificate(authority.ca)
const list = (revoked: ReadonlyMap<string, number>, nextUpdate = Date.UTC(2051, 0, 1)) =>
  makeRevocationList({
    ...{ authority: root, key: createPrivateKey(authority.key), revoked, nextUpdate },
    thisUpdate: Date.UTC(2026, 0, 1),
  })

test('a list says whom its authority takes back, and since when', () => {
  const serials = Array.from(
    { length: 40 },
    () => new X509Certificate(authority.issue(['n1']).cert),
  )
  const revoked = new Map(
    serials.map((one, at) => [certificateId(one).serial, Date.UTC(2026, 0, at + 1)]),
  )
  expect([...revoked.keys()]).toEqual(serials.map(({ serialNumber }) => serialNumber))
  const [read, again] = readRevocationLists(
    `${list(revoked)}${list(new Map(), Date.UTC(2030, 1, 1))}`,
  )
  expect(read!.revoked).toEqual(revoked)
  expect(read!.nextUpdate).toBe(Date.UTC(2051, 0, 1))
  expect([again!.revoked.size, again!.nextUpdate]).toEqual([0, Date.UTC(2030, 1, 1)])
  expect(certificateId(serials[0]!).issuer.equals(read!.issuer)).toBe(true)
  expect(certificateId(root).subject.equals(read!.issuer)).toBe(true)
})

test('a list of somebody else, or that was changed, is by no authority', () => {
  const text = list(new Map([['4A', Date.UTC(2026, 0, 1)]]))
  expect(readRevocationLists(text)[0]!.isBy(root)).toBe(true)
  expect(readRevocationLists(text)[0]!.isBy(new X509Certificate(testAuthority().ca))).toBe(false)
  const bytes = Buffer.from(text.replaceAll(/-----.*-----/g, ''), 'base64')
  const whole = bytes.toString('hex')
  // The serial number in the list, and nothing else.
  const changed = Buffer.from(whole.replace('02014a', '02014b'), 'hex').toString('base64')
  const [read] = readRevocationLists(`-----BEGIN X509 CRL-----\n${changed}\n-----END X509 CRL-----`)
  expect([...read!.revoked.keys()]).toEqual(['4B'])
  expect(read!.isBy(root)).toBe(false)
})

test('what is none is refused, however it is cut', () => {
  expect(() => readRevocationLists('')).toThrow('holds no list')
  const bytes = Buffer.from(list(new Map([['4A', 0]])).replaceAll(/-----.*-----/g, ''), 'base64')
  for (let length = 0; length < bytes.length; length += 1) {
    const part = bytes.subarray(0, length).toString('base64')
    const text = `-----BEGIN X509 CRL-----\n${part}\n-----END X509 CRL-----`
    expect(() => readRevocationLists(text)).toThrow(/^it/)
  }
  for (const hex of ['', '30', '3080', '3005', '30850000000001ff', '3084ffffffff00']) {
    expect(() => derValue(Buffer.from(hex, 'hex'))).toThrow('no DER')
  }
  expect(() => derValues(Buffer.from('020101ff', 'hex'))).toThrow('no DER')
  expect(() => derTime({ tag: 0x17, content: Buffer.from('x'), whole: Buffer.alloc(0) })).toThrow(
    'no DER',
  )
})
