import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { ROOT } from '../../bugs/broken-tree.ts'
import { MUTANTS } from './mutants.ts'

/** Of all commands the processes of a cluster run this one alone. */
const NODE = 'cli/commands/node.ts'
const CLUSTER = 'chaos/processes/process-cluster.ts'
const COMMANDS = 'cli/main.ts'

/** Rows in the title of a test and of what stands around it. */
export const rowsIn = (title: string): number[] =>
  [...title.matchAll(/\[M-(\d+)\]/g)].map(([, row]) => Number(row))

/** The test files that must notice the mutants; what is slow is run for its own rows alone. */
export const crossTests = (): string[] =>
  [...new Set(MUTANTS.map(({ test }) => test))]
    .filter((test) => !test.endsWith('.ci.test.ts'))
    .sort()

/** Whether a change of the file can change what the test does: whether the test leads to it. */
export function leadsTo(test: string, file: string): boolean {
  const reached = new Set<string>()
  const waiting = [test]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (path === file) return true
    if (reached.has(path) || !path.endsWith('.ts')) continue
    const absolute = join(ROOT, path)
    if (!existsSync(absolute) || !statSync(absolute).isFile()) continue
    reached.add(path)
    const named = namedBy(path, readFileSync(absolute, 'utf8'))
    waiting.push(
      ...(path === CLUSTER ? named.map((each) => (each === COMMANDS ? NODE : each)) : named),
    )
  }
  return false
}

const doors = (
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    imports: Record<string, string>
  }
).imports

/** Imports, and programs started by their name. */
function namedBy(path: string, text: string): string[] {
  const named = text.matchAll(
    /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|new URL\(\s*)['"]([^'"]+)['"]/g,
  )
  return [...named].map(([, specifier]) =>
    normalize(doors[specifier!] ?? join(dirname(path), specifier!)),
  )
}
