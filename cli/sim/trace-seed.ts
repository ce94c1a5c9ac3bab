import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { traceWorld } from '../../chaos/search/trace.ts'
import { type RunOptions, runSeed } from '../../chaos/simulation/run-seed.ts'
import { note } from '../output.ts'

/** Runs one seed and writes down all of it, the hash at the end. Says whether nothing was violated. */
export async function traceSeed(options: RunOptions, to: string | true): Promise<boolean> {
  const out = to === true ? process.stdout : createWriteStream(to)
  // Lines are written in large pieces: there are many.
  let piece: string[] = []
  const flush = () => {
    if (piece.length > 0) out.write(`${piece.join('\n')}\n`)
    piece = []
  }
  const write = (line: string) => {
    piece.push(line)
    if (piece.length >= 1_000) flush()
  }
  const { violation, traceHash } = await runSeed({
    ...options,
    prepare: (world) => traceWorld(world, write),
  })
  const verdict = violation === null ? 'ok' : violation.message
  write(`seed=${options.seed} hash=${traceHash} ${verdict}`)
  flush()
  if (out !== process.stdout) {
    out.end()
    await finished(out)
    note(`seed=${options.seed} hash=${traceHash} ${verdict}`)
    note(`written to ${String(to)}`)
  }
  return violation === null
}
