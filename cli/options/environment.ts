import { variableOf } from './declaration.ts'
import { didYouMean } from './nearest.ts'

/** Variables that other commands read, and those of drills and tests. */
const ELSEWHERE =
  /^PARLEY_(URL|TOKEN_FILE|CA_FILE|KEEP|REQUIRE|DISK_FAULTS|(DRILL|POWER|TEST|BENCH)_[A-Z0-9_]+)$/

/** Kubernetes tells every container where each service is: `PARLEY_PORT_7400_TCP_ADDR` and so on. */
const SERVICE_LINKS = /^PARLEY(_[A-Z0-9_]+)?_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_\w+)?)$/

/** Secrets in the environment are seen by child processes, crash reports and whoever reads /proc. */
const SECRETS: Record<string, string> = { PARLEY_TOKEN_SECRET: '--token-secret-file' }

/** Whether an operator gave it a value: compose files pass on variables that are not there as empty. */
export const isSet = (value: string | undefined): value is string =>
  value !== undefined && value !== ''

/** A sentence for each variable that looks like an option and is none. */
export function environmentFaults(
  environment: Readonly<Record<string, string | undefined>>,
  options: readonly string[],
): string[] {
  const known = new Set(['PARLEY_CONFIG', ...options.map(variableOf)])
  return Object.entries(environment).flatMap(([name, value]) => {
    if (!name.startsWith('PARLEY_') || !isSet(value) || known.has(name)) return []
    const file = SECRETS[name]
    if (file !== undefined) {
      return [`${name} is not taken: secrets come from files alone, this one by ${file}`]
    }
    if (ELSEWHERE.test(name) || SERVICE_LINKS.test(name)) return []
    return [`${name} names no option${didYouMean(name, [...known])}`]
  })
}
