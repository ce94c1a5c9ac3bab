import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { VerifiedContent } from '#node'
import { readPieces } from '../backup/backup-file.ts'
import { backupUrls } from '../backup/backup-urls.ts'
import { downloadBackup } from '../backup/download-backup.ts'
import { asCliError } from '../backup/failures.ts'
import { reportVerified } from '../backup/report-verified.ts'
import { manifestLines } from '../backup/words.ts'
import { bytesText } from '../byte-size.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface BackupFlags extends OperatorFlags {
  readonly to?: string
  readonly node?: string
  readonly verify?: boolean
  readonly json?: boolean
}

interface VerifyFlags extends OperatorFlags {
  readonly temporary?: string
  readonly report: boolean
  readonly json?: boolean
}

/** Between two words on how far it is. */
const PROGRESS_MS = 2_000

const HELP = `
Examples:
  parley backup --to parley-monday.backup
  parley backup --to parley-monday.backup --verify
  parley backup verify parley-monday.backup

The cluster goes on; a node that does not lead gives the backup. What was acknowledged before the command
was given is inside. Without its last bytes it is called FILE.partial, and is no backup.`

export function configure(command: Command): void {
  command
    .option('--to <file>', 'the file to write')
    .option('--node <name>', 'take it from this node (default: one that does not lead)')
    .option('--verify', 'verify it afterwards, as backup verify does')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may keep silent', '60s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
  command
    .command('verify')
    .description('read all of a backup, load it into a store of its own, and say what it holds')
    .argument('<file>', 'the backup')
    .option('--temporary <directory>', 'where to load it (default: the temporary directory)')
    .option('--no-report', 'do not tell the cluster that it is good')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may take to answer', '10s'))
    .option('--json', 'one JSON document')
    // Some options stand on both commands: here they belong to this one.
    .action((file: string, _flags: VerifyFlags, self: Command) =>
      verify(file, self.optsWithGlobals()),
    )
}

async function run(flags: BackupFlags): Promise<void> {
  const { to } = flags
  if (to === undefined) throw new CliError(ExitCode.usage, 'name the file to write with --to')
  const call = adminCallOf(flags)
  const candidates = await backupUrls(call, flags.node)
  const sinceMs = performance.now()
  let toldMs = sinceMs
  const { manifest, bytes, url } = await asCliError(
    downloadBackup(to, {
      ...call,
      urls: candidates,
      onBytes: (written) => {
        if (performance.now() - toldMs < PROGRESS_MS) return
        toldMs = performance.now()
        note(`parley: ${bytesText(written)}`)
      },
    }),
  )
  const tookMs = Math.round(performance.now() - sinceMs)
  const verified = flags.verify === true ? await load(to, undefined) : null
  const untold = verified === null ? null : await reportVerified(manifest, flags)
  if (flags.json === true) {
    const content = verified === null ? {} : contentOf(verified)
    printJson({ schema: 1, file: to, bytes, tookMs, url, ...manifest, ...content })
  } else {
    print(`backed up ${to} · ${bytesText(bytes)} in ${tookMs} ms from ${manifest.node}`)
    for (const line of manifestLines(manifest)) print(line)
    print(verified === null ? `next   parley backup verify ${to}` : verifiedLine(verified))
  }
  if (untold !== null) note(`parley: the cluster was not told: ${untold}`)
}

async function verify(file: string, flags: VerifyFlags): Promise<void> {
  const { size } = await stat(file)
  note(`parley: reading ${bytesText(size)}`)
  const verified = await load(file, flags.temporary)
  const { manifest } = verified
  const untold = flags.report ? await reportVerified(manifest, flags) : null
  const isReported = flags.report && untold === null
  if (flags.json === true) {
    printJson({ schema: 1, file, bytes: size, ...manifest, ...contentOf(verified), isReported })
  } else {
    print(`good   ${file} · ${bytesText(size)}`)
    for (const line of manifestLines(manifest)) print(line)
    print(verifiedLine(verified))
  }
  if (untold !== null) note(`parley: the cluster was not told: ${untold}`)
}

async function load(file: string, temporary: string | undefined): Promise<VerifiedContent> {
  const { offlinePorts, verifyBackup } = await import('#node')
  const directory = await mkdtemp(join(temporary ?? tmpdir(), 'parley-verify-'))
  try {
    const store = join(directory, 'store')
    return await asCliError(verifyBackup(offlinePorts(), readPieces(file), store))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function contentOf({ pairs, events, contentHash }: VerifiedContent) {
  return { pairs, events, contentHash, isVerified: true }
}

function verifiedLine({ pairs, events, contentHash }: VerifiedContent): string {
  return `loaded ${events} events, ${pairs} values · content ${contentHash}`
}
