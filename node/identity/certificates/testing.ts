import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { makeCertificate } from './certificate.ts'

interface Dates {
  readonly notBefore?: number
  readonly notAfter?: number
}

/** An authority for a test, and certificates by it. PEM. */
export function testAuthority(commonName = 'test CA') {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = { commonName, key: own.privateKey }
  const nowMs = 1_000 * Math.floor(performance.timeOrigin / 1_000)
  const make = (
    name: string,
    names: readonly string[],
    publicKey: typeof own.publicKey,
    dates: Dates,
  ) =>
    makeCertificate({
      ...{ commonName: name, names, publicKey, issuer, serial: randomBytes(16) },
      notBefore: dates.notBefore ?? nowMs - 60_000,
      notAfter: dates.notAfter ?? nowMs + 86_400_000,
    })
  return {
    ca: make(commonName, [], own.publicKey, {}),
    issue: (names: readonly string[], dates: Dates = {}) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      return {
        cert: make('node', names, publicKey, dates),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      }
    },
  }
}
