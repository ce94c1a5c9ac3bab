import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { makeCertificate } from './certificate.ts'
import { makeRevocationList } from './revocation-list.ts'

interface Dates {
  readonly notBefore?: number
  readonly notAfter?: number
}

interface Issuer {
  readonly commonName: string
  readonly key: KeyObject
}

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }) as string

/** An authority for a test, and certificates by it. PEM. Without `above` it vouches for itself. */
export function testAuthority(commonName = 'test CA', above: Issuer | null = null) {
  const own = newKeys()
  const issuer: Issuer = { commonName, key: own.privateKey }
  const nowMs = 1_000 * Math.floor(performance.timeOrigin / 1_000)
  const make = (
    by: Issuer,
    name: string,
    names: readonly string[],
    publicKey: KeyObject,
    dates: Dates,
  ) =>
    makeCertificate({
      ...{ commonName: name, names, publicKey, issuer: by, serial: randomBytes(16), pathLength: 1 },
      notBefore: dates.notBefore ?? nowMs - 60_000,
      notAfter: dates.notAfter ?? nowMs + 86_400_000,
    })
  const ca = make(above ?? issuer, commonName, [], own.publicKey, {})
  return {
    ca,
    key: pem(own.privateKey),
    issue: (names: readonly string[], dates: Dates = {}) => {
      const { privateKey, publicKey } = newKeys()
      return { cert: make(issuer, 'node', names, publicKey, dates), key: pem(privateKey) }
    },
    /** Its list of certificates that it takes back. */
    revoking: (certificates: readonly string[], nextUpdate = nowMs + 86_400_000) =>
      makeRevocationList({
        ...{ authority: new X509Certificate(ca), key: own.privateKey },
        ...{ thisUpdate: nowMs, nextUpdate },
        revoked: new Map(
          certificates.map((one) => [new X509Certificate(one).serialNumber, nowMs] as const),
        ),
      }),
    /** An authority that this one vouches for. */
    below: (name: string) => testAuthority(name, issuer),
  }
}
