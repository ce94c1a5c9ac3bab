import { readFileSync } from 'node:fs'
import { Option } from 'commander'
import { CliError, ExitCode } from './exit-codes.ts'

/** `--token-file`, the same on every command that talks to a cluster. */
export function tokenFileOption(): Option {
  return new Option(
    '--token-file <file>',
    'file with a token of the cluster (see parley token); read anew for each connection',
  ).env('PARLEY_TOKEN_FILE')
}

/** @throws CliError if there is none in it */
export function readToken(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.usage, `cannot read the token file: ${message}`, { cause: error })
  }
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return text
  throw new CliError(ExitCode.usage, `${path} holds no token: make one with "parley token"`)
}

/** What HTTP calls carry. */
export function tokenHeaders(path: string | undefined): Record<string, string> {
  return path === undefined ? {} : { authorization: `Bearer ${readToken(path)}` }
}

/** `sub`, unchecked: whether it is true is the cluster's to say. */
export function userOfToken(path: string): string | null {
  const [, claims = ''] = readToken(path).split('.')
  try {
    const { sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sub?: unknown }
    return typeof sub === 'string' ? sub : null
  } catch {
    return null
  }
}
