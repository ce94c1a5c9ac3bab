import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  importPKCS8,
  type JWK,
  SignJWT,
} from 'jose'
import { parseDevice, parseUser } from '../chat-arguments.ts'
import { adminCall } from '../cluster/admin-call.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface TokenFlags {
  readonly user?: string
  readonly key?: string
  readonly role: string
  readonly device?: string
  readonly ttl: number
  readonly issuer?: string
  readonly audience?: string
}

interface RevokeFlags extends OperatorFlags {
  readonly of?: string
  readonly ofDevice?: string
  readonly before?: number
}

const HELP = `
Examples:
  parley token keygen cluster-key             then: parley node --token-public-key-file cluster-key.pub
  parley token --key cluster-key --user alice --device phone --ttl 12h
  parley token --key cluster-key --user ops --role admin > admin-token
  parley token revoke --of alice --token-file admin-token`

const LEAST_SECRET_BYTES = 32

export function configure(command: Command): void {
  command
    .option('--user <user>', 'whose token', parseUser)
    .option('--key <file>', 'private Ed25519 key (JWK or PEM), or a secret of at least 32 bytes')
    .addOption(
      new Option('--role <role>', 'what it is good for')
        .choices(['user', 'viewer', 'service', 'admin'])
        .default('user'),
    )
    .option('--device <device>', 'good for this device only', parseDevice)
    .addOption(durationOption('--ttl', 'how long it is good', '1h'))
    .option('--issuer <text>', 'iss, if the nodes look at it')
    .option('--audience <text>', 'aud, if the nodes look at it')
    .addHelpText('after', HELP)
    .action(make)
  command
    .command('keygen <file>')
    .description('make a key: an Ed25519 pair in <file> and <file>.pub, or a secret')
    .option('--secret', 'a secret for HS256 instead: nodes can then make tokens themselves')
    .action(keygen)
  command
    .command('revoke')
    .description('have every node refuse the tokens that somebody has')
    .option('--of <user>', 'whose tokens', parseUser)
    .option('--of-device <device>', 'only those of this device', parseDevice)
    .option('--before <ms>', 'only those made before this wall time (default: now)', parseWallTime)
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may take to answer', '10s'))
    .action(revoke)
}

async function make(flags: TokenFlags): Promise<void> {
  const { role, device, issuer, audience, ttl } = flags
  const user = required(flags.user, '--user')
  const { alg, kid, key } = await signingKey(required(flags.key, '--key'))
  const nowS = Math.floor(Date.now() / 1000)
  const claims = { sub: user, role, iat: nowS, exp: nowS + Math.max(1, Math.floor(ttl / 1000)) }
  const token = await new SignJWT({
    ...claims,
    jti: randomBytes(12).toString('base64url'),
    ...(device === undefined ? {} : { device }),
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
  })
    .setProtectedHeader({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
    .sign(key)
  print(token)
}

async function signingKey(path: string) {
  const text = readKey(path).trim()
  try {
    if (text.includes('PRIVATE KEY')) return { alg: 'EdDSA', key: await importPKCS8(text, 'EdDSA') }
    if (!text.startsWith('{')) return { alg: 'HS256', key: strong(Buffer.from(text)) }
    const jwk = JSON.parse(text) as JWK
    if (jwk.kty === 'oct') {
      const key = strong((await importJWK(jwk, 'HS256')) as Uint8Array)
      return { alg: 'HS256', key, ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) }
    }
    if (jwk.d === undefined) throw new Error('this is a public key; the private one makes tokens')
    const kid = jwk.kid ?? (await calculateJwkThumbprint(jwk))
    return { alg: 'EdDSA', kid, key: await importJWK(jwk, 'EdDSA') }
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.usage, `${path} is no key for tokens: ${message}`, { cause: error })
  }
}

function strong(secret: Uint8Array): Uint8Array {
  if (secret.length >= LEAST_SECRET_BYTES) return secret
  throw new Error(`a secret has at least ${LEAST_SECRET_BYTES} bytes, this one ${secret.length}`)
}

async function keygen(path: string, { secret }: { readonly secret?: boolean }): Promise<void> {
  if (secret === true) {
    write(path, randomBytes(LEAST_SECRET_BYTES).toString('base64url'), 0o600)
    note(`parley: ${path} is the secret: start nodes with --token-secret-file ${path}`)
    return
  }
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true })
  const open = await exportJWK(publicKey)
  const named = { alg: 'EdDSA', use: 'sig', kid: await calculateJwkThumbprint(open) }
  write(path, JSON.stringify({ ...(await exportJWK(privateKey)), ...named }), 0o600)
  write(`${path}.pub`, JSON.stringify({ ...open, ...named }), 0o644)
  note(`parley: ${path} makes tokens: keep it where nobody else reads it`)
  note(`parley: ${path}.pub checks them: start nodes with --token-public-key-file ${path}.pub`)
}

async function revoke(flags: RevokeFlags): Promise<void> {
  const user = required(flags.of, '--of')
  const { ofDevice: device, before } = flags
  const answer = await adminCall('/v1/cluster/revocations', {
    ...adminCallOf(flags),
    body: {
      user,
      ...(device === undefined ? {} : { device }),
      ...(before === undefined ? {} : { before }),
    },
  })
  const when = new Date(answer['before'] as number).toISOString()
  const whose = device === undefined ? user : `${user} on ${device}`
  print(`revoked · ${whose} · tokens made before ${when}`)
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.usage, `cannot read the key: ${message}`, { cause: error })
  }
}

/** Never over another file: an old key may be the only one that checks tokens still in use. */
function write(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, `${text}\n`, { flag: 'wx', mode })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new CliError(ExitCode.failed, message, { cause: error })
    throw new CliError(ExitCode.refused, `${path} is there already: it is not written over`)
  }
}

function parseWallTime(text: string): number {
  const wallMs = Number(text)
  if (Number.isSafeInteger(wallMs) && wallMs > 0) return wallMs
  throw new InvalidArgumentError('It is a time in ms since 1970.')
}

function required(value: string | undefined, flag: string): string {
  if (value !== undefined) return value
  throw new CliError(ExitCode.usage, `${flag} is missing (see parley token --help)`)
}
