import { fileURLToPath } from 'node:url'
import { StartError } from '../data-directory.ts'
import type { KeyDocument } from '../identity/key-document.ts'
import type { TokenSettings } from '../identity/token-authenticator.ts'
import {
  KeyFormatError,
  publicKeys,
  secretKeys,
  type VerificationKey,
} from '../identity/verification-key.ts'
import { MAX_KEY_FILE_BYTES as MAX_BYTES, readBounded } from './bounded-file.ts'

const FETCH_TIMEOUT_MS = 5_000

/** Where an operator says that the keys for tokens are. */
export interface TokenOptions {
  /** Files with secrets for HS256: the text itself, at least 32 bytes, or JWKs. */
  readonly secretFiles?: readonly string[]
  /** Files with Ed25519 public keys: PEM or JWKs. */
  readonly publicKeyFiles?: readonly string[]
  /** `https:` (`http:` over loopback only) or `file:`, of a set of JWKs. */
  readonly jwksUrl?: string
  readonly issuer?: string
  readonly audience?: string
  readonly leewayMs?: number
}

/**
 * Reads the keys; `null` if none are named.
 *
 * @throws StartError with what to do next
 */
export async function readTokenSettings(options: TokenOptions): Promise<TokenSettings | null> {
  const { secretFiles = [], publicKeyFiles = [], jwksUrl } = options
  const { issuer, audience, leewayMs } = options
  const keys = [
    ...(await keysOfFiles(secretFiles, secretKeys)),
    ...(await keysOfFiles(publicKeyFiles, publicKeys)),
  ]
  if (keys.length === 0 && jwksUrl === undefined) {
    if (issuer === undefined && audience === undefined) return null
    throw new StartError(
      'issuer or audience of tokens are given and no key: add --token-secret-file, --token-public-key-file or --jwks-url',
    )
  }
  return {
    keys,
    ...(jwksUrl === undefined ? {} : { document: keyDocument(jwksUrl) }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
    ...(leewayMs === undefined ? {} : { leewayMs }),
  }
}

type Parse = (text: string) => Promise<VerificationKey[]>

async function keysOfFiles(paths: readonly string[], parse: Parse): Promise<VerificationKey[]> {
  const keys: VerificationKey[] = []
  for (const path of paths) {
    const text = await readBounded(path).catch((error: Error) => {
      throw new StartError(`cannot read the key file ${path}: ${error.message}`, { cause: error })
    })
    keys.push(...(await keysOf(path, text, parse)))
  }
  return keys
}

async function keysOf(where: string, text: string, parse: Parse): Promise<VerificationKey[]> {
  try {
    return await parse(text)
  } catch (error) {
    if (!(error instanceof KeyFormatError)) throw error
    const advice = 'make one with: parley token keygen'
    throw new StartError(`${where} cannot be used: ${error.message}; ${advice}`, { cause: error })
  }
}

/** @throws StartError if keys may not be fetched from there. */
function keyDocument(address: string): KeyDocument {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url?.protocol === 'file:')
    return { name: address, read: () => readBounded(fileURLToPath(url)) }
  const isLocal = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && isLocal)) {
    throw new StartError(
      `--jwks-url must be https: or file:, not "${address}": who can change the keys on their way can sign any token`,
    )
  }
  return { name: address, read: () => fetchBounded(url) }
}

async function fetchBounded(url: URL): Promise<string> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  // Whoever may redirect may as well publish keys of his own.
  const response = await fetch(url, { signal, redirect: 'error' })
  if (!response.ok || response.body === null) {
    await response.body?.cancel()
    throw new Error(`${url.href} answers ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error(`${url.href} is longer than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
