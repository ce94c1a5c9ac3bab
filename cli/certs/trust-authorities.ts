import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { Option } from 'commander'
import { CliError, ExitCode } from '../exit-codes.ts'

/** `--ca-file`, the same on every command: for clusters whose certificates no public authority made. */
export function caFileOption(): Option {
  return new Option(
    '--ca-file <file>',
    'authorities that are believed beside the usual ones, PEM; on every command that talks to a cluster',
  ).env('PARLEY_CA_FILE')
}

/** From now on, for every connection of this process by HTTP or WebSocket. */
export function trustAuthorities(path: string | undefined): void {
  if (path === undefined || path === '') return
  try {
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(path, 'utf8')])
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.usage, `cannot use ${path} of --ca-file: ${message}`, {
      cause: error,
    })
  }
}
