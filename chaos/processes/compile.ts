import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SOURCES = fileURLToPath(new URL('preload/', import.meta.url))

/** Compiles one of the C files beside this one into `directory`; resolves with the path. */
export async function compile(
  source: 'disk-faults' | 'power-loss',
  directory: string,
): Promise<string> {
  const shared = source === 'disk-faults'
  const target = join(directory, shared ? `${source}.so` : source)
  const flags = ['-O1', '-Wall', '-Werror', ...(shared ? ['-shared', '-fPIC'] : [])]
  const parameters = [...flags, '-o', target, join(SOURCES, `${source}.c`), '-ldl']
  await promisify(execFile)('cc', parameters)
  return target
}
