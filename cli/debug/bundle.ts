import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { judge } from '../cluster/cluster-status.ts'
import { statusText } from '../cluster/status-table.ts'
import { answersOf, type Capture } from '../doctor/capture.ts'
import { doctorText } from '../doctor/doctor-text.ts'
import { examine } from '../doctor/examine.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { tar, untar } from './tar.ts'

export interface BundleContent {
  readonly capture: Capture
  /** The last lines of each node's log, by name. */
  readonly logs: ReadonlyMap<string, readonly string[]>
  /** What every node decides by, as one of them tells it; `null`: nobody did. */
  readonly settings: unknown
  /** Of the command that made it. */
  readonly version: string
  /** What could not be had, a sentence each. */
  readonly missing: readonly string[]
}

/** What a bundle may be unpacked to. */
const MAX_BYTES = 512 << 20

/** An archive of all of it, for whoever looks for a cause elsewhere and later. */
export async function packBundle(content: BundleContent): Promise<Buffer> {
  const { capture, logs, settings, version, missing } = content
  const status = judge(answersOf(capture))
  const findings = examine(capture)
  const { takenAtMs } = capture
  const manifest = { schema: 1, takenAt: new Date(takenAtMs).toISOString(), version, missing }
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
  const files: [string, string][] = [
    ['manifest.json', json(manifest)],
    ['status.txt', `${statusText(status)}\n`],
    ['doctor.txt', `${doctorText(status, findings, missing)}\n`],
    ['findings.json', json(findings)],
    ['settings.json', json(settings)],
    ['capture.json', JSON.stringify(capture)],
    ...[...logs].map(([name, lines]): [string, string] => [
      `log/${fileName(name)}.ndjson`,
      lines.map((line) => `${withoutTokens(line)}\n`).join(''),
    ]),
  ]
  const archive = tar(
    files.map(([name, text]) => ({ name, content: Buffer.from(text) })),
    takenAtMs,
  )
  return promisify(gzip)(archive)
}

/** The capture in a bundle. @throws CliError if the file is none */
export async function readBundle(path: string): Promise<Capture> {
  try {
    const packed = await readFile(path)
    const archive = await promisify(gunzip)(packed, { maxOutputLength: MAX_BYTES })
    const file = untar(archive).find(({ name }) => name === 'capture.json')
    if (file === undefined) throw new Error('it holds no capture.json')
    const capture = JSON.parse(Buffer.from(file.content).toString()) as Partial<Capture>
    if (capture.schema !== 1 || !Array.isArray(capture.nodes)) {
      throw new Error('it was made by another version')
    }
    return capture as Capture
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.failed, `${path} cannot be read as a bundle: ${message}`, {
      cause: error,
    })
  }
}

/** Nothing writes tokens into a log; who sends a bundle away must not depend on it. */
export const withoutTokens = (line: string): string =>
  line
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '[hidden]')
    .replace(/\b(bearer|basic) +[\w.~+/=-]+/gi, '$1 [hidden]')

const fileName = (name: string): string => name.replace(/[^\w.-]/g, '_').slice(0, 60)
