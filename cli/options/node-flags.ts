import { type Command, Option } from 'commander'
import { didYouMean } from './nearest.ts'
import { type Declaration, flagOf, SECTIONS, variableOf } from './declaration.ts'
import { declarationOf, NODE_OPTION_NAMES } from './node-options.ts'

const PLACEHOLDERS: Record<Exclude<Declaration['kind'], 'flag'>, string> = {
  text: 'text',
  choice: 'word',
  address: 'host:port',
  members: 'members',
  integer: 'number',
  number: 'number',
  bytes: 'bytes',
  duration: 'duration',
  url: 'url',
  words: 'words',
  origins: 'origins',
  networks: 'networks',
  peerNames: 'patterns',
  path: 'file',
  paths: 'files',
}

/**
 * Gives the command a flag for each option. It reads neither the environment nor defaults, and lets
 * unknown flags through: `readConfig` tells of everything that is wrong at once.
 */
export function configureNodeOptions(command: Command): void {
  command.allowUnknownOption().allowExcessArguments()
  for (const section of SECTIONS) {
    for (const name of NODE_OPTION_NAMES) {
      const declaration = declarationOf(name)
      if (declaration.section !== section) continue
      command.addOption(
        new Option(flagsOf(name, declaration), helpOf(name, declaration)).helpGroup(`${section}:`),
      )
    }
  }
}

/** A sentence for each word that is no flag of the command, nor a value of one. */
export function unknownWords(command: Command): string[] {
  const known = command.options.flatMap(({ long }) => long ?? [])
  const first = command.args.findIndex((word) => word.startsWith('-'))
  const operands = first === -1 ? command.args : command.args.slice(0, first)
  // What follows an unknown flag is likely its value.
  const flags = command.args.filter((word) => word.startsWith('-'))
  return [
    ...operands.map((word) => `"${word}" is one word too many: each value has a flag`),
    ...flags.map((word) => {
      const [flag = ''] = word.split('=')
      return `there is no flag ${flag}${didYouMean(flag, known)}`
    }),
  ]
}

function flagsOf(name: string, { kind, placeholder }: Declaration): string {
  if (kind === 'flag') return flagOf(name)
  return `${flagOf(name)} <${placeholder ?? PLACEHOLDERS[kind]}>`
}

function helpOf(name: string, { kind, help, preset, otherwise, choices }: Declaration): string {
  const several = ['words', 'paths', 'origins', 'networks'].includes(kind)
    ? '; several with commas'
    : ''
  const absent = kind === 'flag' ? undefined : (preset ?? otherwise)
  const notes = [
    ...(choices === undefined ? [] : [`choices: ${choices.join(', ')}`]),
    ...(absent === undefined ? [] : [`default: ${absent}`]),
    `env: ${variableOf(name)}`,
  ]
  return `${help}${several} (${notes.join('; ')})`
}
