import { createPublicKey, type KeyObject, sign, verify, type X509Certificate } from 'node:crypto'
import { ECDSA_SHA256, extension, keyId } from './certificate.ts'
import { bits, context, integer, objectId, sequence, time } from './der.ts'
import { derTime, derValue, derValues, type DerValue } from './der-reader.ts'

/** Certificates that an authority takes back (RFC 5280 §5). */
export interface RevocationList {
  /** The authority's name, in DER. */
  readonly issuer: Buffer
  /** Wall time in ms since when each is revoked, by serial number in capital hexadecimal digits. */
  readonly revoked: ReadonlyMap<string, number>
  /** Wall time in ms when there should be a newer one; `null`: nobody says. */
  readonly nextUpdate: number | null
  /** Whether the holder of that certificate signed it. */
  isBy(authority: X509Certificate): boolean
}

/** What identifies a certificate among all of an authority. */
export interface CertificateId {
  /** In DER. */
  readonly issuer: Buffer
  readonly subject: Buffer
  /** In capital hexadecimal digits. */
  readonly serial: string
}

const SEQUENCE = 0x30
const INTEGER = 0x02
const VERSION = 0xa0
const TIMES = [0x17, 0x18]

/** How signatures of lists are checked, by the algorithm that they name; `null`: it brings its own digest. */
const DIGESTS: readonly (readonly [id: Buffer, digest: string | null])[] = [
  [objectId('1.2.840.10045.4.3.2'), 'sha256'],
  [objectId('1.2.840.10045.4.3.3'), 'sha384'],
  [objectId('1.2.840.10045.4.3.4'), 'sha512'],
  [objectId('1.2.840.113549.1.1.11'), 'sha256'],
  [objectId('1.2.840.113549.1.1.12'), 'sha384'],
  [objectId('1.2.840.113549.1.1.13'), 'sha512'],
  [objectId('1.3.101.112'), null],
]
const CRL_NUMBER = '2.5.29.20'
const ISSUER_KEY_ID = '2.5.29.35'

export function certificateId({ raw }: X509Certificate): CertificateId {
  const [content] = derValues(derValue(raw).content, 1)
  const parts = derValues(content!.content, 4)
  if (parts[0]?.tag === VERSION) parts.shift()
  const [serial, , issuer, , subject] = parts
  return { serial: digitsOf(serial!), issuer: issuer!.whole, subject: subject!.whole }
}

/** A list that takes the place of all earlier ones of its authority. PEM. */
export function makeRevocationList(request: {
  readonly authority: X509Certificate
  readonly key: KeyObject
  /** As in `RevocationList`. */
  readonly revoked: ReadonlyMap<string, number>
  /** Wall time in ms. */
  readonly thisUpdate: number
  readonly nextUpdate: number
}): string {
  const { authority, key, revoked, thisUpdate, nextUpdate } = request
  const entries = [...revoked].map(([serial, sinceMs]) =>
    sequence(integer(Buffer.from(serial, 'hex')), time(sinceMs)),
  )
  // Grows with every list, as it must.
  const number = Buffer.from(BigInt(thisUpdate).toString(16).padStart(16, '0'), 'hex')
  const extensions = sequence(
    extension(ISSUER_KEY_ID, sequence(context(0, keyId(createPublicKey(key))))),
    extension(CRL_NUMBER, integer(number)),
  )
  const content = sequence(
    integer(Buffer.from([1])),
    ECDSA_SHA256,
    certificateId(authority).subject,
    time(thisUpdate),
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    context(0, extensions, true),
  )
  const whole = sequence(content, ECDSA_SHA256, bits(sign('sha256', content, key)))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN X509 CRL-----', ...lines, '-----END X509 CRL-----', ''].join('\n')
}

/**
 * The lists of a text of PEM. What is signed is not checked here: see `isBy`.
 *
 * @throws Error whose message says what is wrong with it
 */
export function readRevocationLists(text: string): RevocationList[] {
  const blocks = text.matchAll(/-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/g)
  const lists = [...blocks].map(([, base64 = '']) => readList(Buffer.from(base64, 'base64')))
  if (lists.length === 0)
    throw new Error('it holds no list of revoked certificates (PEM, BEGIN X509 CRL)')
  return lists
}

function readList(bytes: Buffer): RevocationList {
  const [content, algorithm, signature] = derValues(derValue(bytes).content, 3)
  const parts = derValues(content!.content, 4)
  if (parts[0]?.tag === INTEGER) parts.shift()
  const [, issuer, , ...rest] = parts
  const nextUpdate = TIMES.includes(rest[0]?.tag ?? 0) ? derTime(rest.shift()!) : null
  const entries = rest[0]?.tag === SEQUENCE ? derValues(rest[0].content) : []
  if (issuer?.tag !== SEQUENCE || signature?.tag !== 0x03) throw new Error('it is none of X.509')
  const [id] = derValues(algorithm!.content, 1)
  const digest = DIGESTS.find(([known]) => known.equals(id!.whole))?.[1]
  if (digest === undefined) throw new Error('it is signed by an algorithm that is not known here')
  return {
    issuer: issuer.whole,
    revoked: new Map(entries.map(readEntry)),
    nextUpdate,
    isBy: ({ publicKey }) =>
      verify(digest, content!.whole, publicKey, signature.content.subarray(1)),
  }
}

function readEntry({ content }: DerValue): [serial: string, sinceMs: number] {
  const [serial, since, extensions] = derValues(content, 2)
  const isCritical = derValues(extensions?.content ?? Buffer.alloc(0)).some(
    (one) => derValues(one.content)[1]?.tag === 0x01,
  )
  // It would say that another authority than that of the list is meant.
  if (isCritical)
    throw new Error('it lists certificates of several authorities: give a list of each')
  return [digitsOf(serial!), derTime(since!)]
}

/** Of a serial number, without the zeros that it may begin with. */
const digitsOf = ({ content }: DerValue): string =>
  content
    .toString('hex')
    .toUpperCase()
    .replace(/^(00)+(?=.)/, '')
