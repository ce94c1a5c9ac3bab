import type { BackupManifest } from '#node'
import { CliError, ExitCode } from '../exit-codes.ts'
import { tokenHeaders } from '../token-file.ts'
import { PartialFile } from './backup-file.ts'

export interface Downloaded {
  readonly manifest: BackupManifest
  readonly bytes: number
  readonly url: string
}

interface DownloadOptions {
  /** Asked in this order, until one gives a backup. */
  readonly urls: readonly string[]
  readonly tokenFile?: string | undefined
  /** How long a node may keep silent. */
  readonly timeoutMs: number
  readonly onBytes: (bytes: number) => void
}

/**
 * Writes a backup of the cluster to a file, every checksum compared on the way.
 *
 * @throws CliError; then there is no `path`, and perhaps a `<path>.partial`
 */
export async function downloadBackup(path: string, options: DownloadOptions): Promise<Downloaded> {
  let failure: CliError | null = null
  for (const url of options.urls) {
    const stall = new Stall(options.timeoutMs)
    try {
      const response = await answerOf(url, options, stall)
      if (response instanceof CliError) {
        if (response.exitCode === ExitCode.refused) throw response
        failure = response
        continue
      }
      return { ...(await save(path, response, options, stall)), url }
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      failure ??= new CliError(ExitCode.failed, error.message)
    } finally {
      stall.end()
    }
  }
  throw failure ?? new CliError(ExitCode.failed, 'no node to take a backup from')
}

class Unreachable extends Error {}

/** Ends a call in which nothing has come for a while. */
class Stall {
  readonly #controller = new AbortController()
  readonly #timeoutMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.heard()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  heard(): void {
    clearTimeout(this.#timer)
    const why = new Error(`nothing came for ${this.#timeoutMs} ms`)
    this.#timer = setTimeout(() => this.#controller.abort(why), this.#timeoutMs)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

async function answerOf(
  url: string,
  { tokenFile }: DownloadOptions,
  { signal }: Stall,
): Promise<Response | CliError> {
  let response: Response
  try {
    const headers = tokenHeaders(tokenFile)
    response = await fetch(new URL('/v1/cluster/backup?read=linearizable', url), {
      signal,
      headers,
    })
  } catch (error) {
    throw new Unreachable(`${url} does not answer: ${(error as Error).message}`)
  }
  if (response.ok) return response
  const text = await response.text().catch(() => '')
  const isRefused = response.status === 401 || response.status === 403
  const advice = isRefused ? ' (an operator’s token: parley token --role admin)' : ''
  const said = `${url}: ${response.status} ${detailOf(text)}${advice}`
  return new CliError(isRefused ? ExitCode.refused : ExitCode.failed, said)
}

async function save(
  path: string,
  response: Response,
  { onBytes }: DownloadOptions,
  stall: Stall,
): Promise<Omit<Downloaded, 'url'>> {
  const { BackupDecoder, BackupError } = await import('#node')
  const file = await PartialFile.create(path)
  try {
    const decoder = new BackupDecoder()
    for await (const bytes of bodyOf(response, path)) {
      stall.heard()
      decoder.push(bytes)
      await file.write(bytes)
      onBytes(file.bytes)
    }
    const manifest = decoder.finish()
    await file.finish()
    return { manifest, bytes: file.bytes }
  } catch (error) {
    await file.abandon()
    // No file of the operator's is bad: what came is, by the way or by its node.
    throw error instanceof BackupError && error.fault !== 'newer' ? cut(path, error) : error
  }
}

async function* bodyOf(response: Response, path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of response.body ?? []) yield bytes as Uint8Array
  } catch (cause) {
    throw cut(path, cause as Error)
  }
}

function cut(path: string, cause: Error): CliError {
  return new CliError(
    ExitCode.failed,
    `the backup did not come through (${cause.message}): ${path}.partial is no backup. Run the command again`,
    { cause },
  )
}

function detailOf(text: string): string {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown }
    return `${String(code)}: ${String(detail)}`
  } catch {
    return 'without a further word'
  }
}
