import { constants, type X509Certificate } from 'node:crypto'
import type { ConnectionOptions, SecureContextOptions, TLSSocket, TlsOptions } from 'node:tls'
import type { PeerFault } from '../../security-report.ts'
import type { ClusterSecret } from './cluster-secret.ts'
import { nodeNames } from './node-names.ts'
import type { TlsMaterial } from './tls-material.ts'

/** How a node shows its peers that it belongs to them, and what it takes of them for it. */
export interface PeerCredentials {
  readonly certificate: TlsMaterial | null
  /** The first is dialled with, all are accepted. */
  readonly secrets: readonly ClusterSecret[]
  /** How certificates name nodes; see `nodeNames`. */
  readonly patterns: readonly string[]
}

/** The other end of a connection does not show that it belongs to the cluster. */
export class PeerTlsError extends Error {
  override readonly name = 'PeerTlsError'
  readonly fault: PeerFault

  constructor(fault: PeerFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

const COMMON = {
  minVersion: 'TLSv1.3',
  // A shared secret goes with SHA-256 alone and takes the first of these that fits.
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384',
  requestCert: true,
  // `proofOf` judges, and names the reason.
  rejectUnauthorized: false,
  // Nothing is taken up again: it would outlive the certificate or the secret that it came from, and
  // look like a shared secret here.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies TlsOptions

/** For `tls.createServer` and, as often as credentials change, its `setSecureContext`. */
export function serverOptions(credentials: PeerCredentials): TlsOptions {
  return { ...COMMON, ...certificateOptions(credentials), handshakeTimeout: 5_000 }
}

/** For `tls.connect`. Whom it reaches is judged by `proofOf`, not by the name of the host. */
export function clientOptions(
  credentials: PeerCredentials,
  secret: ClusterSecret | null,
): ConnectionOptions {
  return {
    ...COMMON,
    ...certificateOptions(credentials),
    checkServerIdentity: () => undefined,
    ...(secret === null ? {} : { pskCallback: () => ({ identity: secret.id, psk: secret.key }) }),
  }
}

function certificateOptions({ certificate }: PeerCredentials): SecureContextOptions {
  if (certificate === null) return { ca: [] }
  const { cert, key, ca = [] } = certificate
  return { cert, key, ca }
}

/** A certificate of the other end, and the names that it may bear by it. */
export interface PeerProof {
  readonly certificate: X509Certificate
  readonly names: readonly string[]
}

/**
 * What the other end showed, `null` if that was the cluster secret, which says nothing of names. To be
 * called once the handshake is over, and once: of a socket that was dialled Node.js gives the
 * certificate a single time.
 *
 * @throws PeerTlsError if it showed neither
 */
export function proofOf(socket: TLSSocket, credentials: PeerCredentials): PeerProof | null {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) {
    // TLS 1.3 calls it a session taken up again when both sides hold the same secret; there are no others.
    if (credentials.secrets.length > 0 && socket.isSessionReused()) return null
    throw credentials.certificate === null
      ? new PeerTlsError('secret', `it shows no cluster secret of this node: ${SECRET_ADVICE}`)
      : new PeerTlsError('no_certificate', `it shows no certificate: ${CERTIFICATE_ADVICE}`)
  }
  if (credentials.certificate === null) {
    throw new PeerTlsError(
      'secret',
      'it shows a certificate, and this node has none to compare it with: give all nodes the same kind of credentials',
    )
  }
  if (!socket.authorized) throw distrust(String(socket.authorizationError), subjectOf(certificate))
  const sinceMs = credentials.certificate.revoked?.sinceOf(certificate) ?? null
  if (sinceMs !== null) {
    const since = new Date(sinceMs).toISOString()
    throw new PeerTlsError(
      'revoked',
      `its certificate (${subjectOf(certificate)}) is revoked since ${since}: make another with: parley certs renew NAME --new-key`,
    )
  }
  const names = nodeNames(certificate, credentials.patterns)
  if (names.length > 0) return { certificate, names }
  throw new PeerTlsError(
    'untrusted',
    `its certificate (${subjectOf(certificate)}) names no node: ${namesAdvice(credentials.patterns)}`,
  )
}

export const SECRET_ADVICE = 'give all nodes the same --cluster-secret-file'
const CERTIFICATE_ADVICE = 'make one with: parley certs node NAME'
const namesAdvice = (patterns: readonly string[]): string =>
  patterns.length === 0
    ? CERTIFICATE_ADVICE
    : `it must have a name as --peer-names has it, ${patterns.join(' or ')}`

/** As its owner wrote it, so that it is bounded and of one line. */
const subjectOf = ({ subject }: X509Certificate): string =>
  (subject ?? 'without a subject').replaceAll(/\s+/g, ' ').slice(0, 200)

/** By OpenSSL's word for what is wrong with a chain. */
function distrust(why: string, subject: string): PeerTlsError {
  if (why.includes('CERT_HAS_EXPIRED')) {
    const advice = 'renew it with: parley certs renew (or set the clock of this node right)'
    return new PeerTlsError('expired', `its certificate (${subject}) has expired: ${advice}`)
  }
  if (why.includes('CERT_NOT_YET_VALID')) {
    const advice = 'the clock of one of the machines is wrong'
    return new PeerTlsError(
      'not_yet_valid',
      `its certificate (${subject}) is not valid yet: ${advice}`,
    )
  }
  return new PeerTlsError(
    'untrusted',
    `no authority of --peer-ca-file vouches for its certificate (${subject}; ${why})`,
  )
}

/** Why a handshake failed, by the code that OpenSSL or the system gives it. */
export function handshakeError(cause: NodeJS.ErrnoException): PeerTlsError {
  const code = cause.code ?? cause.message
  if (/NO_SUITABLE_SIGNATURE|BINDER_DOES_NOT_VERIFY/.test(code)) {
    return new PeerTlsError('secret', `it has another cluster secret, or none: ${SECRET_ADVICE}`, {
      cause,
    })
  }
  if (code.includes('WRONG_VERSION_NUMBER')) {
    return new PeerTlsError(
      'handshake',
      `it speaks without TLS: ${SECRET_ADVICE}, or certificates`,
      {
        cause,
      },
    )
  }
  if (code.includes('ALERT')) {
    const alert = code
      .replace(/^ERR_SSL_|SSL\/TLS_|TLSV1[_3]*_?|ALERT_/g, '')
      .toLowerCase()
      .replaceAll('_', ' ')
    return new PeerTlsError(
      'refused',
      `it refuses this node (${alert}): another cluster secret or authority; its own log says more (peer.untrusted)`,
      { cause },
    )
  }
  return new PeerTlsError('handshake', `no TLS can be spoken with it (${code})`, { cause })
}
