import { readFile, stat } from 'node:fs/promises'

const MAX_BYTES = 1024 * 1024

/**
 * What a configuration file says: YAML, of which JSON is a part.
 *
 * @throws Error with a sentence about the file
 */
export async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  const { parseDocument } = await import('yaml')
  let text: string
  try {
    const { size } = await stat(path)
    if (size > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
  const document = parseDocument(text, { prettyErrors: true })
  const [fault] = document.errors
  if (fault !== undefined) {
    const where = fault.linePos?.[0]
    const what = fault.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '')
    const at = where === undefined ? path : `${path}:${where.line}:${where.col}`
    throw new Error(`${at} is neither YAML nor JSON: ${what}`)
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 20 })
  } catch (error) {
    throw new Error(`${path} cannot be used: ${(error as Error).message}`, { cause: error })
  }
  if (value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Error(`${path} must hold names of options with their values, like "logLevel: info"`)
}
