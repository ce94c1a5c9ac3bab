import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CliError, ExitCode } from '../exit-codes.ts'

/** A certificate with its key, as files. */
export interface CertificatePair {
  readonly certFile: string
  readonly keyFile: string
}

interface Subject {
  readonly commonName: string
  /** Empty: an authority. */
  readonly names: readonly string[]
  readonly lifetimeMs: number
}

/** Clocks of machines differ: a new certificate is good from so long ago on, in ms. */
const BACKDATED_MS = 5 * 60_000

export const authorityOf = (directory: string): CertificatePair => pairOf(directory, 'ca')

export const pairOf = (directory: string, name: string): CertificatePair => ({
  certFile: join(directory, `${name}.crt`),
  keyFile: join(directory, `${name}.key`),
})

/**
 * Makes both files, the key readable to its owner alone.
 *
 * @throws CliError if one of them is there: nothing is written over
 */
export async function makePair(
  files: CertificatePair,
  subject: Subject,
  authority: CertificatePair | null,
): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const cert = await certificateFor(subject, publicKey, authority, privateKey)
  mkdirSync(dirname(files.keyFile), { recursive: true, mode: 0o700 })
  writeNew(files.keyFile, pem(privateKey), 0o600)
  writeNew(files.certFile, cert, 0o644)
}

/**
 * Makes a certificate of the same name in place of one, each file at once. Without a new key the one
 * file changes alone, so that no reader sees half of it.
 */
export async function renewPair(
  files: CertificatePair,
  lifetimeMs: number,
  options: { readonly authority: CertificatePair; readonly isNewKey: boolean },
): Promise<void> {
  const old = readCertificate(files.certFile)
  if (old.ca) {
    throw new CliError(
      ExitCode.refused,
      `${files.certFile} is an authority: make another with "parley certs init --dir OTHER", and give nodes both while one takes the place of the other`,
    )
  }
  const key = options.isNewKey
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : readKey(files.keyFile)
  const subject = { commonName: commonNameOf(old), names: altNamesOf(old), lifetimeMs }
  const cert = await certificateFor(subject, createPublicKey(key), options.authority, key)
  if (options.isNewKey) replace(files.keyFile, pem(key), 0o600)
  replace(files.certFile, cert, 0o644)
}

async function certificateFor(
  { commonName, names, lifetimeMs }: Subject,
  publicKey: KeyObject,
  authority: CertificatePair | null,
  ownKey: KeyObject,
): Promise<string> {
  const { makeCertificate } = await import('#node')
  const notBefore = Date.now() - BACKDATED_MS
  let notAfter = Date.now() + lifetimeMs
  let issuer = { commonName, key: ownKey }
  if (authority !== null) {
    const above = readCertificate(authority.certFile)
    const key = readKey(authority.keyFile)
    if (!above.ca || !above.checkPrivateKey(key)) {
      throw noAuthority(authority)
    }
    issuer = { commonName: commonNameOf(above), key }
    // Nobody believes it longer than who vouches for it.
    notAfter = Math.min(notAfter, above.validToDate.getTime())
    if (notAfter <= Date.now()) {
      throw new CliError(
        ExitCode.refused,
        `${authority.certFile} has expired: make another authority with "parley certs init --dir OTHER"`,
      )
    }
  }
  const serial = randomBytes(16)
  return makeCertificate({ commonName, serial, notBefore, notAfter, publicKey, names, issuer })
}

const noAuthority = ({ certFile, keyFile }: CertificatePair): CliError =>
  new CliError(
    ExitCode.refused,
    `${certFile} and ${keyFile} are no authority with its key: make one with "parley certs init"`,
  )

/** @throws CliError if there is none in it */
export function readCertificate(path: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(path))
  } catch (error) {
    throw new CliError(
      ExitCode.failed,
      `${path} cannot be read as a certificate: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

/**
 * Adds certificates to the list of what the authority has taken back, and signs it anew.
 *
 * @returns how many stand in it now
 */
export async function revoke(
  listFile: string,
  serials: readonly string[],
  { authority, lifetimeMs }: { readonly authority: CertificatePair; readonly lifetimeMs: number },
): Promise<number> {
  const { certificateId, makeRevocationList, readRevocationLists } = await import('#node')
  const above = readCertificate(authority.certFile)
  const key = readKey(authority.keyFile)
  if (!above.ca || !above.checkPrivateKey(key)) throw noAuthority(authority)
  const thisUpdate = Date.now()
  const revoked = new Map<string, number>()
  if (existsSync(listFile)) {
    try {
      const { subject } = certificateId(above)
      for (const list of readRevocationLists(readFileSync(listFile, 'utf8'))) {
        if (!list.issuer.equals(subject) || !list.isBy(above))
          throw new Error('it is of another authority')
        for (const [serial, sinceMs] of list.revoked) revoked.set(serial, sinceMs)
      }
    } catch (error) {
      const message = `${listFile} cannot be added to: ${(error as Error).message}`
      throw new CliError(ExitCode.refused, message, { cause: error })
    }
  }
  for (const serial of serials) if (!revoked.has(serial)) revoked.set(serial, thisUpdate)
  const nextUpdate = Math.min(thisUpdate + lifetimeMs, above.validToDate.getTime())
  const list = makeRevocationList({ authority: above, key, revoked, thisUpdate, nextUpdate })
  replace(listFile, list, 0o644)
  return revoked.size
}

/** Names as a request has them: `parley://n1`, `n1.example`, `10.0.0.1`. */
export function altNamesOf({ subjectAltName = '' }: X509Certificate): string[] {
  if (subjectAltName === '') return []
  return subjectAltName.split(', ').map((name) => name.replace(/^(URI|DNS|IP Address):/, ''))
}

export const commonNameOf = ({ subject }: Pick<X509Certificate, 'subject'>): string =>
  /(?:^|\n)CN=(.*)/.exec(subject)?.[1] ?? subject

function readKey(path: string): KeyObject {
  try {
    return createPrivateKey(readFileSync(path))
  } catch (error) {
    throw new CliError(
      ExitCode.failed,
      `${path} cannot be read as a private key: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/** @throws CliError if the file is there */
export function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new CliError(ExitCode.failed, message, { cause: error })
    throw new CliError(ExitCode.refused, `${path} is there already: it is not written over`)
  }
}

function replace(path: string, text: string, mode: number): void {
  const next = `${path}.new`
  writeFileSync(next, text, { mode })
  renameSync(next, path)
}
