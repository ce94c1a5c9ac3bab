import type { Command } from 'commander'
import { adminCall } from '../cluster/admin-call.ts'
import { MembersClient } from '../cluster/members-client.ts'
import { preflightText } from '../cluster/preflight-text.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface TransferFlags extends OperatorFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
}

export function configure(command: Command): void {
  command
    .argument('[node]', 'who is to lead; else whoever is nearest to having everything')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long it may take', '15s'))
    .option('--dry-run', 'say what speaks against it, and stop there')
    .option('--json', 'one JSON document')
    .addHelpText('after', '\nAny node takes the call. Writes wait while leadership moves.')
    .action(run)
}

async function run(to: string | undefined, flags: TransferFlags): Promise<void> {
  const judged = await new MembersClient(flags).preflight('transfer', to ?? null)
  const isLast = flags.dryRun === true || judged.verdict === 'refuse'
  if (flags.json === true && isLast) printJson({ schema: 1, preflight: judged })
  else if (flags.json !== true) (isLast ? print : note)(preflightText(judged))
  if (judged.verdict === 'refuse') throw new CliError(ExitCode.refused)
  if (isLast) return
  const moved = (await adminCall('/v1/cluster/leadership-transfers', {
    ...adminCallOf(flags),
    body: to === undefined ? {} : { to },
    isOnce: true,
  })) as { from: string; to: string; term: number; gapMs: number }
  if (flags.json === true) printJson({ schema: 1, ...moved })
  else if (moved.from === moved.to) print(`${moved.to} leads already · term ${moved.term}`)
  else print(`${moved.from} → ${moved.to} · term ${moved.term} · writes waited ${moved.gapMs} ms`)
}
