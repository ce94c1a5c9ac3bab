import type { Command } from 'commander'
import { adminCall } from '../cluster/admin-call.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface ReloadFlags extends OperatorFlags {
  readonly json?: boolean
}

export function configure(command: Command): void {
  command
    .argument('<node>', 'who is to read its configuration and its files of keys again')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long it may take', '15s'))
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      '\nAs SIGHUP there. With anything wrong nothing changes, and it says what.',
    )
    .action(run)
}

async function run(node: string, flags: ReloadFlags): Promise<void> {
  const { changed, needRestart } = (await adminCall(
    `/v1/cluster/nodes/${encodeURIComponent(node)}/reload`,
    { ...adminCallOf(flags), body: {} },
  )) as { changed: string[]; needRestart: string[] }
  if (flags.json === true) {
    printJson({ schema: 1, node, changed, needRestart })
    return
  }
  const names = (options: readonly string[]) => options.join(', ') || 'nothing'
  print(`${node} reloaded · changed: ${names(changed)} · needs a restart: ${names(needRestart)}`)
}
