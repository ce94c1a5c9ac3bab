import { readFileSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { RecoveryPlan, SurvivorReport } from '#node'
import { answeringVoters } from '../backup/answering-voters.ts'
import { asCliError } from '../backup/failures.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson, table } from '../output.ts'

interface CollectFlags {
  readonly data: string
  readonly to?: string
  readonly json?: boolean
}

interface PlanFlags {
  readonly to?: string
  readonly timeout: number
  readonly json?: boolean
}

interface ApplyFlags extends PlanFlags {
  readonly plan: string
  readonly data: string
  readonly iAcceptDataLoss?: string
}

const HELP = `
Only when a majority of the disks is gone for good. As long as one can be brought back, bring it back: nothing
is lost then. Stop all nodes first; each step says what it would do, and only the last one changes anything.

  parley recover collect --data /var/lib/parley --to n1.json      on each survivor
  parley recover plan n1.json --to plan.json
  parley recover apply --plan plan.json --data /var/lib/parley --i-accept-data-loss CLUSTER_ID`

export function configure(command: Command): void {
  command.addHelpText('after', HELP)
  command
    .command('collect')
    .description('say what the directory of a stopped node holds')
    .requiredOption('--data <directory>', 'its data directory')
    .option('--to <file>', 'write it to a file, for plan')
    .option('--json', 'one JSON document')
    .action(collect)
  command
    .command('plan')
    .description('choose the survivor that the cluster goes on from, and say what may be lost')
    .argument('<reports...>', 'what collect wrote on each survivor')
    .option('--to <file>', 'write the plan to a file, for apply')
    .addOption(durationOption('--timeout', 'how long a lost node may take to answer', '2s'))
    .option('--json', 'one JSON document')
    .action(plan)
  command
    .command('apply')
    .description('make the chosen survivor a cluster of its own; without the last flag only say so')
    .requiredOption('--plan <file>', 'what plan wrote')
    .requiredOption('--data <directory>', 'the data directory of the chosen survivor')
    .option('--i-accept-data-loss <cluster>', 'the id of the cluster that is given up')
    .addOption(durationOption('--timeout', 'how long a lost node may take to answer', '2s'))
    .option('--json', 'one JSON document')
    .action(apply)
}

async function collect({ data, to, json }: CollectFlags): Promise<void> {
  const { offlinePorts, openSurvivor } = await import('#node')
  const survivor = await asCliError(openSurvivor(offlinePorts(), resolve(data)))
  await survivor.close()
  const { report } = survivor
  if (to !== undefined) await writeFile(to, `${JSON.stringify(report, null, 2)}\n`)
  if (json === true) printJson(report)
  else {
    print(tableOf([report]))
    if (to !== undefined) print(`next   parley recover plan ${to} … --to plan.json`)
  }
}

async function plan(files: readonly string[], flags: PlanFlags): Promise<void> {
  const { offlinePorts, planRecovery, survivorShape } = await import('#node')
  const reports = await Promise.all(files.map((file) => readShape(file, survivorShape, 'collect')))
  const { random } = offlinePorts()
  const made = await asCliError(Promise.resolve().then(() => planRecovery(reports, random)))
  await refuseAnswering(made, flags.timeout)
  if (flags.to !== undefined) await writeFile(flags.to, `${JSON.stringify(made, null, 2)}\n`)
  if (flags.json === true) {
    printJson(made)
    return
  }
  print(tableOf(reports))
  print('')
  tell(made)
  const file = flags.to ?? 'PLAN'
  print(
    `next   parley recover apply --plan ${file} --data … --i-accept-data-loss ${made.clusterId}, on ${made.chosen.name}`,
  )
}

async function apply(flags: ApplyFlags): Promise<void> {
  const { offlinePorts, planShape, recover } = await import('#node')
  const made = await readShape(flags.plan, planShape, 'plan')
  const accepted = flags.iAcceptDataLoss
  if (accepted !== undefined && accepted !== made.clusterId) {
    const why = `the plan gives up cluster ${made.clusterId}, and you accepted it for ${accepted}`
    throw new CliError(ExitCode.refused, `${why}: nothing was changed`)
  }
  await refuseAnswering(made, flags.timeout)
  const directory = resolve(flags.data)
  if (accepted === undefined) {
    await check(made, directory)
    if (flags.json === true) printJson({ ...made, isDryRun: true })
    else {
      tell(made)
      print(`would be done to ${directory}; nothing was changed`)
      print(`next   the same with --i-accept-data-loss ${made.clusterId}`)
    }
    return
  }
  // Of an attempt that was cut off before it changed anything.
  const isSwitching = await readFile(join(directory, 'switch.json')).then(
    () => true,
    () => false,
  )
  if (!isSwitching) await rm(join(directory, 'prepared'), { recursive: true, force: true })
  note('parley: applying what the log holds, in a copy')
  const { index, undo } = await asCliError(recover(offlinePorts(), directory, made))
  const { newClusterId: clusterId, newEpoch: epoch, chosen } = made
  if (flags.json === true) {
    printJson({ schema: 1, name: chosen.name, clusterId, epoch, index, undo })
    return
  }
  print(
    `recovered ${chosen.name} is cluster ${clusterId}, epoch ${epoch} · alone, at index ${index}`,
  )
  print(`undo   ${undo} holds log and store as they were; delete it when all is well`)
  print(
    `next   start ${chosen.name}; then take the others in with empty directories: parley members add`,
  )
}

/** That the plan fits the directory, without a change. */
async function check(made: RecoveryPlan, directory: string): Promise<void> {
  const { checkPlan, offlinePorts, openSurvivor } = await import('#node')
  const survivor = await asCliError(openSurvivor(offlinePorts(), directory))
  await survivor.close()
  await asCliError(Promise.resolve().then(() => checkPlan(made, survivor)))
}

async function refuseAnswering({ lost }: RecoveryPlan, timeoutMs: number): Promise<void> {
  const answering = await answeringVoters(lost, timeoutMs)
  if (answering.length === 0) return
  const is = answering.length === 1 ? 'answers and is' : 'answer and are'
  throw new CliError(
    ExitCode.refused,
    `${answering.join(', ')} ${is} not lost. Bring back what can be brought back: with a majority the cluster goes on by itself. If it is beyond help, stop it first, and never start it again`,
  )
}

function tell({ chosen, lost, mayBeLost, newEpoch }: RecoveryPlan): void {
  print(
    `goes on from ${chosen.name}, index ${chosen.lastIndex} of term ${chosen.lastTerm} · epoch ${newEpoch}`,
  )
  print(
    `given up     ${lost.map(({ name }) => name).join(', ')}: none may ever start again with its old directory`,
  )
  for (const sentence of mayBeLost) print(`may be lost  ${sentence}`)
}

function tableOf(reports: readonly SurvivorReport[]): string {
  const rows = reports.map(({ name, lastTerm, lastIndex, commit, applied, stateHash, store }) => {
    return [name, ...[lastTerm, lastIndex, commit, applied].map(String), stateHash, store]
  })
  return table(['NAME', 'TERM', 'LAST', 'COMMIT', 'APPLIED', 'STATE HASH', 'STORE'], rows)
}

async function readShape<T>(
  file: string,
  shape: (value: unknown, path: string) => T,
  by: string,
): Promise<T> {
  const text = readFileSync(file, 'utf8')
  try {
    return shape(JSON.parse(text), '')
  } catch (cause) {
    const why = `${file} is not what parley recover ${by} wrote: ${(cause as Error).message}`
    throw new CliError(ExitCode.failed, why, { cause })
  }
}
