import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'

/**
 * The flags of a program of this folder as `read` takes them; `--help` shows the usage. What cannot be
 * read ends the process with exit code 64 and says why.
 */
export function readArguments<O extends ParseArgsOptionsConfig, T>(
  name: string,
  usage: string,
  options: O,
  read: (given: ReturnType<typeof parseArgs<{ options: O }>>['values']) => T,
): T {
  try {
    if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
      process.stdout.write(`${usage}\n`)
      process.exit(0)
    }
    return read(parseArgs({ options }).values)
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).message}\n\n${usage}\n`)
    process.exit(64)
  }
}

export function atLeast(least: number, flag: string, text: string): number {
  if (/^\d+$/.test(text) && Number(text) >= least) return Number(text)
  throw new Error(`${flag} must be a whole number from ${least} on, not "${text}"`)
}
