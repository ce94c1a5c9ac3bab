import { createHash, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto'
import {
  bits,
  boolean,
  context,
  integer,
  objectId,
  octets,
  sequence,
  set,
  time,
  utf8,
} from './der.ts'
import { ipBytes } from './ip-bytes.ts'

/** What a new certificate says. */
export interface CertificateRequest {
  readonly commonName: string
  /** At least 8 random bytes. */
  readonly serial: Uint8Array
  /** Wall time in ms. */
  readonly notBefore: number
  readonly notAfter: number
  /** Whose certificate it is: EC P-256. */
  readonly publicKey: KeyObject
  /** Whom it names: `parley://n1`, host names, IP addresses. Empty: an authority. */
  readonly names: readonly string[]
  /** How many authorities may stand between this one and a certificate. @default 0 */
  readonly pathLength?: number
  /** Who vouches for it; an authority vouches for itself. */
  readonly issuer: { readonly commonName: string; readonly key: KeyObject }
}

export const ECDSA_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'))
const OID = {
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  altNames: '2.5.29.17',
  constraints: '2.5.29.19',
  issuerKeyId: '2.5.29.35',
  extendedUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** A certificate as RFC 5280 has it, good for both ends of TLS, or that of an authority. PEM. */
export function makeCertificate(request: CertificateRequest): string {
  const { commonName, serial, notBefore, notAfter, publicKey, issuer } = request
  const content = sequence(
    context(0, integer(Buffer.from([2])), true),
    // Positive, and never shorter than it was given.
    integer(Buffer.from([0x40 | (serial[0]! & 0x3f), ...serial.subarray(1)])),
    ECDSA_SHA256,
    distinguishedName(issuer.commonName),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    context(3, sequence(...extensions(request)), true),
  )
  const signature = sign('sha256', content, issuer.key)
  const whole = sequence(content, ECDSA_SHA256, bits(signature))
  return new X509Certificate(whole).toString()
}

function extensions({ names, pathLength = 0, publicKey, issuer }: CertificateRequest): Buffer[] {
  const ids = [
    extension(OID.subjectKeyId, octets(keyId(publicKey))),
    extension(OID.issuerKeyId, sequence(context(0, keyId(createPublicKey(issuer.key))))),
  ]
  if (names.length === 0) {
    return [
      extension(OID.constraints, sequence(boolean(true), integer(Buffer.from([pathLength]))), true),
      // keyCertSign, cRLSign
      extension(OID.keyUsage, bits(Buffer.from([0b0000_0110]), 1), true),
      ...ids,
    ]
  }
  return [
    extension(OID.constraints, sequence(), true),
    // digitalSignature
    extension(OID.keyUsage, bits(Buffer.from([0b1000_0000]), 7), true),
    extension(OID.extendedUsage, sequence(objectId(OID.serverAuth), objectId(OID.clientAuth))),
    extension(OID.altNames, sequence(...names.map(altName))),
    ...ids,
  ]
}

export function extension(id: string, value: Uint8Array, isCritical = false): Buffer {
  return sequence(objectId(id), ...(isCritical ? [boolean(true)] : []), octets(value))
}

const distinguishedName = (commonName: string): Buffer =>
  sequence(set(sequence(objectId(OID.commonName), utf8(commonName))))

function altName(name: string): Buffer {
  if (name.includes('://')) return context(6, Buffer.from(name, 'latin1'))
  const address = ipBytes(name)
  return address === null ? context(2, Buffer.from(name, 'latin1')) : context(7, address)
}

/** RFC 5280 §4.2.1.2, over the whole key. */
export const keyId = (key: KeyObject): Buffer =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20)
