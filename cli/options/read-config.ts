import { readConfigFile } from './config-file.ts'
import { configFaults } from './config-faults.ts'
import { flagOf, variableOf } from './declaration.ts'
import { environmentFaults, isSet } from './environment.ts'
import { fileFindings } from './file-faults.ts'
import { didYouMean } from './nearest.ts'
import {
  declarationOf,
  NODE_OPTION_NAMES,
  type NodeOptionName,
  type NodeOptionValues,
} from './node-options.ts'
import type { InitialMember } from '../cluster/initial-members.ts'
import { expectationOf, schemaOf } from './option-schema.ts'

/** Where values may come from, the strongest first. */
export interface ConfigSources {
  /** By the name of the option, as typed. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** JSON or YAML. */
  readonly file: string | null
}

export interface Config {
  readonly values: NodeOptionValues
  /** Of each option that has a value: `--listen`, `PARLEY_LISTEN`, `node.yaml: listen`, `default`. */
  readonly origins: ReadonlyMap<NodeOptionName, string>
}

export type ReadConfig =
  | { readonly config: Config; readonly warnings: readonly string[] }
  | { readonly faults: readonly string[] }

interface Given {
  readonly value: unknown
  readonly origin: string
}

/**
 * Puts flags, environment, file and defaults together. Looks at everything before it says what is
 * wrong: one sentence for each fault, which names where the value came from and what would be right.
 */
export async function readConfig(sources: ConfigSources): Promise<ReadConfig> {
  const faults = environmentFaults(sources.environment, NODE_OPTION_NAMES)
  const file = await fileOf(sources.file, faults)
  const values: Record<string, unknown> = {}
  const origins = new Map<NodeOptionName, string>()
  for (const name of NODE_OPTION_NAMES) {
    const given = givenFor(name, sources, file)
    if (given === null) {
      if (name === 'initialMembers' && values['join'] === true) continue
      const missing = `${flagOf(name)} is missing (or ${variableOf(name)}, or ${name} in a file): ${declarationOf(name).help}`
      if (declarationOf(name).isRequired === true) faults.push(missing)
      continue
    }
    const read = readValue(name, given)
    if ('fault' in read) faults.push(read.fault)
    else {
      values[name] = read.value
      origins.set(name, given.origin)
    }
  }
  if (values['join'] === true)
    values['initialMembers'] ??= itself(values as Partial<NodeOptionValues>)
  const config = { values: values as unknown as NodeOptionValues, origins }
  faults.push(...configFaults(config))
  const files = await fileFindings(config)
  faults.push(...files.faults)
  return faults.length === 0 ? { config, warnings: files.warnings } : { faults }
}

/** Whoever is to be taken in is reached where it listens, unless it says otherwise. */
function itself({
  name,
  listen,
  peerListen,
}: Partial<NodeOptionValues>): InitialMember[] | undefined {
  if (name === undefined || listen === undefined || peerListen === undefined) return undefined
  return [{ name, clientUrl: `http://${listen}`, peerAddress: peerListen }]
}

async function fileOf(path: string | null, faults: string[]): Promise<Record<string, unknown>> {
  if (path === null) return {}
  let file: Record<string, unknown>
  try {
    file = await readConfigFile(path)
  } catch (error) {
    faults.push((error as Error).message)
    return {}
  }
  for (const key of Object.keys(file)) {
    if ((NODE_OPTION_NAMES as readonly string[]).includes(key)) continue
    faults.push(`${path}: there is no option ${key}${didYouMean(key, NODE_OPTION_NAMES)}`)
  }
  return file
}

function givenFor(
  name: NodeOptionName,
  { flags, environment, file: path }: ConfigSources,
  file: Record<string, unknown>,
): Given | null {
  if (flags[name] !== undefined) return { value: flags[name], origin: flagOf(name) }
  const variable = environment[variableOf(name)]
  if (isSet(variable)) return { value: variable, origin: variableOf(name) }
  if (Object.hasOwn(file, name)) return { value: file[name], origin: `${path}: ${name}` }
  const { preset } = declarationOf(name)
  return preset === undefined ? null : { value: preset, origin: 'default' }
}

type ReadValue = { readonly value: unknown } | { readonly fault: string }

function readValue(name: NodeOptionName, { value, origin }: Given): ReadValue {
  const declaration = declarationOf(name)
  const read = schemaOf(declaration).safeParse(value)
  if (read.success) return { value: read.data }
  const issue = read.error.issues.find(({ code }) => code === 'custom')
  const expected = `must be ${expectationOf(declaration)}, not ${shown(value)}`
  // A failed `refine` without words is custom as well.
  const said = issue === undefined || issue.message === 'Invalid input' ? expected : issue.message
  return { fault: `${origin} ${said}` }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`
}
