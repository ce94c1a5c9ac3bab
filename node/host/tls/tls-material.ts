import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { readBounded } from '../bounded-file.ts'
import { RevokedCertificates } from './revoked-certificates.ts'

/** Where an operator says that a certificate is. PEM. */
export interface CertificateFiles {
  /** The node's own, then those between it and the authority. */
  readonly certFile: string
  readonly keyFile: string
  /** Authorities whose certificates are believed; several while one takes the place of another. */
  readonly caFile?: string | undefined
  /** Lists of what these authorities have taken back; several in one file. */
  readonly crlFile?: string | undefined
}

/** A list of about 25,000 certificates: it is read by the thread that serves clients. */
const MAX_LIST_BYTES = 1 << 20

/** A certificate with its key, checked: they fit each other, and TLS takes them. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
  /** Wall time in ms, from when on and until when it is good. */
  readonly notBefore: number
  readonly notAfter: number
  /** When the first of the authorities ends; `null` without any. */
  readonly caNotAfter: number | null
  /** `null`: nobody says what is revoked. */
  readonly revoked: RevokedCertificates | null
  /** Since when this one is itself, wall time in ms; `null`: it is not. */
  readonly revokedSince: number | null
  /** SHA-256 of each authority. */
  readonly authorities: readonly string[]
  /** Equal for equal files. */
  readonly digest: string
}

/**
 * Reads and checks them.
 *
 * @throws Error whose message names the file and says what is wrong with it
 */
export async function readTlsMaterial(files: CertificateFiles): Promise<TlsMaterial> {
  const cert = await textOf(files.certFile)
  const key = await textOf(files.keyFile)
  const ca = files.caFile === undefined ? undefined : await textOf(files.caFile)
  const crl = files.crlFile === undefined ? '' : await textOf(files.crlFile, MAX_LIST_BYTES)
  const [own, ...between] = certificatesOf(cert, files.certFile)
  const authorities = ca === undefined ? [] : certificatesOf(ca, files.caFile!)
  const stranger = authorities.find((authority) => !authority.ca)
  if (stranger !== undefined) {
    throw new Error(`${files.caFile} holds a certificate of no authority: ${stranger.subject}`)
  }
  if (!own!.checkPrivateKey(privateKey(key, files.keyFile))) {
    throw new Error(`${files.keyFile} is not the key of ${files.certFile}: give both of one pair`)
  }
  try {
    createSecureContext({ cert, key, ca })
  } catch (error) {
    throw new Error(`TLS does not take ${files.certFile}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const revoked =
    files.crlFile === undefined ? null : lists(crl, files.crlFile, [...authorities, ...between])
  const ends = authorities.map(({ validToDate }) => validToDate.getTime())
  return {
    ...{ cert, key, ca },
    notBefore: own!.validFromDate.getTime(),
    notAfter: own!.validToDate.getTime(),
    caNotAfter: ends.length === 0 ? null : Math.min(...ends),
    revoked,
    revokedSince: revoked?.sinceOf(own!) ?? null,
    authorities: authorities.map(({ fingerprint256 }) => fingerprint256),
    digest: createHash('sha256')
      .update(`${cert}\0${key}\0${ca ?? ''}\0${crl}`)
      .digest('hex'),
  }
}

/** Why a certificate is good for nobody now; `null`: it is. */
export function dateFault(
  { notBefore, notAfter }: Pick<TlsMaterial, 'notBefore' | 'notAfter'>,
  wallMs: number,
): string | null {
  if (wallMs >= notAfter) return `expired on ${new Date(notAfter).toISOString()}`
  return wallMs < notBefore ? `not valid before ${new Date(notBefore).toISOString()}` : null
}

function lists(
  text: string,
  path: string,
  authorities: readonly X509Certificate[],
): RevokedCertificates {
  try {
    return new RevokedCertificates(text, authorities)
  } catch (error) {
    throw new Error(`${path} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

async function textOf(path: string, maxBytes?: number): Promise<string> {
  try {
    return await readBounded(path, maxBytes)
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

function certificatesOf(text: string, path: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error(`${path} holds no certificate (PEM, BEGIN CERTIFICATE)`)
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    throw new Error(`${path} holds a damaged certificate: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function privateKey(text: string, path: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (error) {
    throw new Error(`${path} holds no private key (PEM, without a password)`, { cause: error })
  }
}
