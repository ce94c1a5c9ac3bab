import type { X509Certificate } from 'node:crypto'
import { altNamesOf, commonNameOf } from './certificate-files.ts'

export interface DescribedCertificate {
  readonly file: string
  readonly subject: string
  /** Empty for an authority. */
  readonly names: readonly string[]
  readonly issuer: string
  readonly state: 'good' | 'ends soon' | 'expired' | 'not valid yet'
  /** ISO 8601. */
  readonly notBefore: string
  readonly notAfter: string
  /** Until it ends; negative after that. */
  readonly days: number
  /** In hexadecimal digits; what it is revoked by. */
  readonly serial: string
  readonly fingerprint: string
}

const DAY_MS = 86_400_000
/** Less than this is soon. */
const SOON_MS = 14 * DAY_MS

/** What a person wants to know of it; `wallMs` is now. */
export function describeCertificate(
  file: string,
  certificate: X509Certificate,
  wallMs: number,
): DescribedCertificate {
  const { validFromDate, validToDate, serialNumber, fingerprint256 } = certificate
  const leftMs = validToDate.getTime() - wallMs
  return {
    file,
    subject: commonNameOf(certificate),
    names: altNamesOf(certificate),
    issuer: commonNameOf({ subject: certificate.issuer }),
    state:
      leftMs <= 0
        ? 'expired'
        : wallMs < validFromDate.getTime()
          ? 'not valid yet'
          : leftMs < SOON_MS
            ? 'ends soon'
            : 'good',
    notBefore: validFromDate.toISOString(),
    notAfter: validToDate.toISOString(),
    days: Math.floor(leftMs / DAY_MS),
    serial: serialNumber,
    fingerprint: fingerprint256,
  }
}
