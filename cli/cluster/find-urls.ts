import { Option } from 'commander'
import { readControlFile } from '../dev/control-file.ts'
import { findDataDirectory } from '../dev/data-directory.ts'
import { CliError, ExitCode } from '../exit-codes.ts'

/** `--url`, the same on every command that talks to a cluster. */
export function urlOption(): Option {
  return new Option(
    '--url <url>',
    'a node of the cluster, or several; else PARLEY_URL, else the cluster of parley dev',
  ).argParser((value: string, before: string[] | undefined) => [...(before ?? []), ...split(value)])
}

/** The nodes to talk to: from `--url`, from `PARLEY_URL`, or of the dev cluster around here. */
export function findUrls(given: readonly string[] | undefined): string[] {
  if (given !== undefined && given.length > 0) return [...given]
  const fromEnvironment = process.env['PARLEY_URL']
  if (fromEnvironment !== undefined && fromEnvironment !== '') return split(fromEnvironment)
  const running = readControlFile(findDataDirectory())
  if (running !== null) return running.nodes.map(({ url }) => url)
  throw new CliError(
    ExitCode.failed,
    'no cluster: start one with "npm start", or name a node with --url or PARLEY_URL',
  )
}

function split(value: string): string[] {
  return value.split(',').map((part) => {
    const text = part.trim()
    const url = text.includes('://') ? text : `http://${text}`
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new CliError(
        ExitCode.usage,
        `"${text}" is not the URL of a node: write http://host:port`,
      )
    }
    return new URL(url).origin
  })
}
