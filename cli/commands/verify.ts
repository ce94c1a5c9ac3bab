import type { Command } from 'commander'
import { bytesText } from '../byte-size.ts'
import { counted } from '../counted.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson, table } from '../output.ts'
import type { VerifyReport } from '#node'

interface VerifyFlags {
  readonly json?: boolean
}

export function configure(command: Command): void {
  command
    .argument('<directory>', 'the data directory of a node that is stopped')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      '\nReads everything and writes nothing. Exit code 3 if something is wrong, 5 if a node uses the directory.',
    )
    .action(run)
}

async function run(directory: string, flags: VerifyFlags): Promise<void> {
  const { StartError, verifyDirectory } = await import('#node')
  const isProgram = flags.json === true
  if (!isProgram) note(`reading ${directory}`)
  const report = await verifyDirectory(directory.replace(/(?<=.)\/+$/, '')).catch(
    (error: unknown) => {
      if (!(error instanceof StartError)) throw error
      throw new CliError(error.isRefused ? ExitCode.refused : ExitCode.usage, error.message)
    },
  )
  const isSound = report.findings.length === 0
  if (isProgram) printJson({ schema: 1, ok: isSound, ...report })
  else show(report)
  if (!isSound) throw new CliError(ExitCode.unhealthy)
}

function show({ node, log, store, findings }: VerifyReport): void {
  const rows = [
    ['label', node === null ? '-' : `node ${node}`],
    ['log', log === null ? '-' : logLine(log)],
    ['store', store === null ? '-' : storeLine(store)],
  ]
  const state = (part: string) =>
    findings.some((finding) => finding.part === part) ? 'DAMAGED' : 'ok'
  const isJudged = !findings.some(({ part }) => part === 'log' || part === 'store')
  const isAgreed = !findings.some(({ part }) => part === 'agreement')
  const agreement = isAgreed ? 'ok' : 'BROKEN'
  print(
    table(
      ['PART', 'STATE', 'HOLDS'],
      [
        ...rows.map(([part, holds]) => [part!, state(part!), holds!]),
        ['agreement', isJudged ? agreement : '-', 'of log and store'],
      ],
    ),
  )
  for (const { part, what, advice } of findings) print(`\n${part}: ${what}\n  → ${advice}`)
}

function logLine(log: NonNullable<VerifyReport['log']>): string {
  const { firstIndex, lastIndex, commit, segments, bytes, raftId } = log
  const entries = lastIndex < firstIndex ? 'no entries' : `entries ${firstIndex}–${lastIndex}`
  return `${entries}, committed to ${commit}; ${counted(segments, 'file')}, ${bytesText(bytes)}; id ${raftId}`
}

function storeLine({ index, tables, values, bytes }: NonNullable<VerifyReport['store']>): string {
  if (index === 0) return 'no checkpoint yet: the log has it all'
  return `the state at ${index}; ${values} values, ${bytesText(bytes)}, in ${counted(tables, 'table')} and a log`
}
