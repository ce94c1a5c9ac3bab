import { rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Restored, RestoreTarget } from '#node'
import { readPieces } from '../backup/backup-file.ts'
import { asCliError } from '../backup/failures.ts'
import { manifestLines, moment } from '../backup/words.ts'
import { bytesText } from '../byte-size.ts'
import { formatMembers, parseMembers } from '../cluster/initial-members.ts'
import { note, print, printJson } from '../output.ts'

interface RestoreFlags {
  readonly members: string
  readonly data: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

const HELP = `
Examples:
  parley restore monday.backup --members n1=10.0.0.1:7401/10.0.0.1:7501 --data /var/lib/parley
  parley restore monday.backup --data restored \\
    --members n1=10.0.0.1:7401/10.0.0.1:7501,n2=10.0.0.2:7401/10.0.0.2:7501,n3=10.0.0.3:7401/10.0.0.3:7501

With several members, each gets a directory of its name inside --data: carry it to its machine, then start
all of them. It is a new cluster: clients notice, keep what they have not sent, and learn what is gone. What
was acknowledged after the moment of the backup is not in it. Directories that hold anything are refused.`

export function configure(command: Command): void {
  command
    .argument('<file>', 'the backup')
    .requiredOption('--members <members>', 'who they are now: n1=host:port/host:peer-port,n2=…')
    .requiredOption('--data <directory>', 'where to write; several members: one inside for each')
    .option('--dry-run', 'check the file and the directories, and write nothing')
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(file: string, flags: RestoreFlags): Promise<void> {
  const { checkTargets, offlinePorts, checkBackup, restore } = await import('#node')
  const members = parseMembers(flags.members)
  const directoryOf = (name: string) => (members.length === 1 ? flags.data : join(flags.data, name))
  const targets: RestoreTarget[] = members.map((member) => {
    return { ...member, directory: resolve(directoryOf(member.name)) }
  })
  const ports = offlinePorts()
  const { size } = await stat(file)
  await asCliError(checkTargets(ports.fileSystem, targets))
  note(`parley: reading ${bytesText(size)}`)
  const { manifest } = await asCliError(checkBackup(readPieces(file)))
  if (flags.dryRun === true) {
    const directories = targets.map(({ name, directory }) => ({ name, directory }))
    if (flags.json === true) printJson({ schema: 1, isDryRun: true, directories, ...manifest })
    else {
      for (const line of manifestLines(manifest)) print(line)
      for (const { name, directory } of directories) print(`would write ${name} to ${directory}`)
    }
    return
  }
  const restored = await asCliError(
    restore({
      ports,
      file: readPieces(file),
      manifest,
      targets,
      onMember: (name) => note(`parley: writing ${name}`),
    }),
  ).catch(async (error: unknown) => {
    for (const { directory } of targets) await removePrepared(directory)
    throw error
  })
  if (flags.json === true) {
    const { clusterId, epoch, index } = restored
    const directories = targets.map(({ name, directory }) => ({ name, directory }))
    printJson({ schema: 1, file, clusterId, epoch, index, directories, backup: manifest })
  } else tell(restored, targets, flags)
}

/** Of a restore that failed: the directories were empty before. A switch that began is finished by a start. */
async function removePrepared(directory: string): Promise<void> {
  const isSwitching = await stat(join(directory, 'switch.json')).then(
    () => true,
    () => false,
  )
  if (!isSwitching) await rm(join(directory, 'prepared'), { recursive: true, force: true })
}

function tell(restored: Restored, targets: readonly RestoreTarget[], flags: RestoreFlags): void {
  const { manifest, clusterId, epoch, index } = restored
  print(
    `restored cluster ${clusterId}, epoch ${epoch} · ${targets.length} members at index ${index}`,
  )
  for (const line of manifestLines(manifest)) print(line)
  print(
    `lost   whatever was acknowledged after index ${manifest.index}, ${moment(manifest.takenAtMs)} at the earliest`,
  )
  const initial = formatMembers(parseMembers(flags.members))
  print('next   start every member with its directory:')
  for (const { name, directory } of targets) {
    print(`       parley node --name ${name} --data ${directory} --initial-members ${initial} …`)
  }
}
