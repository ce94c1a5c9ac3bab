import type { Command } from 'commander'
import { type AdminCall, adminCall } from '../cluster/admin-call.ts'
import { type ClusterStatus, type NodeStatus, collectStatus } from '../cluster/cluster-status.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson, table } from '../output.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'

interface StatusFlags {
  readonly url?: string[]
  readonly json?: boolean
  readonly timeout: number
  readonly tokenFile?: string
}

export function configure(command: Command): void {
  command
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long each node may take to answer', '1s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', '\nExit code 3 if any configured node is down or not ready.')
    .action(run)
}

async function run(flags: StatusFlags): Promise<void> {
  const urls = findUrls(flags.url)
  const { timeout: timeoutMs, tokenFile } = flags
  const status = await collectStatus(urls, { timeoutMs, headers: tokenHeaders(tokenFile) })
  // No view at all may mean that the nodes do not show theirs to just anybody.
  if (status.nodes.length === 0) await refuseIfRefused({ urls, timeoutMs, tokenFile })
  if (flags.json === true) printJson({ schema: 1, ...status })
  else show(status)
  if (status.verdict !== 'healthy') throw new CliError(ExitCode.unhealthy)
}

async function refuseIfRefused(call: AdminCall): Promise<void> {
  const refusal = await adminCall('/v1/cluster', call).catch((error: unknown) => error)
  if (refusal instanceof CliError && refusal.exitCode === ExitCode.refused) throw refusal
}

function show(status: ClusterStatus): void {
  print(status.sentence)
  if (status.nodes.length === 0) return
  print('')
  print(
    table(
      ['NAME', 'ROLE', 'STATE', 'TERM', 'APPLIED', 'LAG', 'URL', 'NOTE'],
      status.nodes.map(row),
    ),
  )
}

function row(node: NodeStatus): string[] {
  const state = !node.up ? 'down' : node.leads ? 'leader' : 'follower'
  const number = (value: number | null) => (value === null ? '-' : String(value))
  return [
    node.name,
    node.role,
    state,
    number(node.term),
    number(node.applied),
    number(node.lag),
    node.url,
    node.reasons.join(', '),
  ]
}
