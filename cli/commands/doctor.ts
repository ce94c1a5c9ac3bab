import type { Command } from 'commander'
import { judge } from '../cluster/cluster-status.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { refuseIfRefused } from '../cluster/refuse-if-refused.ts'
import { readBundle } from '../debug/bundle.ts'
import { answersOf, type Capture, captureCluster } from '../doctor/capture.ts'
import { doctorText } from '../doctor/doctor-text.ts'
import { examine } from '../doctor/examine.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'

interface DoctorFlags {
  readonly url?: string[]
  readonly json?: boolean
  readonly nodeTimeout: number
  readonly sample: number
  readonly tokenFile?: string
  readonly bundle?: string
}

export function configure(command: Command): void {
  command
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--node-timeout', 'how long each node may take to answer', '2s'))
    .addOption(durationOption('--sample', 'how long to watch what grows', '2s'))
    .option('--bundle <file>', 'of what parley debug kept, instead of asking anybody')
    .option('--json', 'one JSON document')
    .addHelpText('after', '\nExit code 3 if something critical was found.')
    .action(run)
}

async function run(flags: DoctorFlags): Promise<void> {
  const capture = await captureOf(flags)
  const answers = answersOf(capture)
  const status = judge(answers)
  refuseIfRefused(status, answers)
  const findings = examine(capture)
  const missing = missingIn(capture)
  if (flags.json === true) {
    const { verdict, sentence } = status
    printJson({ schema: 1, takenAtMs: capture.takenAtMs, verdict, sentence, findings, missing })
  } else print(doctorText(status, findings, missing))
  if (findings.some(({ severity }) => severity === 'critical')) {
    throw new CliError(ExitCode.unhealthy)
  }
}

async function captureOf(flags: DoctorFlags): Promise<Capture> {
  if (flags.bundle !== undefined) return readBundle(flags.bundle)
  return captureCluster(findUrls(flags.url), {
    timeoutMs: flags.nodeTimeout,
    sampleMs: flags.sample,
    headers: tokenHeaders(flags.tokenFile),
  })
}

function missingIn({ nodes }: Capture): string[] {
  return nodes.flatMap(({ url, missing }) => missing.map((part) => `${url}${part}`))
}
