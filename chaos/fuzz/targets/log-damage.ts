import { LogDamagedError } from '#cluster'
import { LogFormatError } from '../../../cluster/log/log-format-error.ts'
import { contentOf } from '../../../cluster/log/testing/log-samples.ts'
import type { Prng } from '../../prng.ts'
import { applyScript, type Editable, makeScript } from '../edit-script.ts'
import { type Target, violated } from '../target.ts'
import { type LogImage, makeLog, openLog } from './log-image.ts'

/**
 * The boot of a node whose log was changed on disk. It says what it said before, or refuses; or it
 * says what was said before its newest batch, if that one was never proven by another.
 */
export class LogDamage implements Target {
  /** Each segment is read through a window of 1 MiB. */
  readonly allowedBytes = 32 << 20
  readonly #image: LogImage

  private constructor(image: LogImage) {
    this.#image = image
  }

  static async open(sealed: boolean): Promise<LogDamage> {
    return new LogDamage(await makeLog(sealed))
  }

  make(random: Prng): Uint8Array {
    return makeScript(random)
  }

  async judge(script: Uint8Array): Promise<string | null> {
    const { disk: whole, paths, frames, contents } = this.#image
    const files = paths.map((path): Editable & { path: string } => ({
      path,
      bytes: Buffer.from(whole.bytesOf(path)),
      marks: frames.filter((frame) => frame.path === path).map(({ offset }) => offset),
    }))
    applyScript(script, files)
    const disk = whole.clone()
    for (const { path, bytes } of files) {
      if (bytes === null) disk.erase(path)
      else disk.overwrite(path, Buffer.from(bytes))
    }
    let said: string
    try {
      const log = await openLog(disk)
      said = JSON.stringify(contentOf(log))
      await log.close()
    } catch (error) {
      if (!(error instanceof LogDamagedError || error instanceof LogFormatError)) throw error
      if (error instanceof LogFormatError) violated('damage is called another format')
      if (!error.message.includes('members replace')) violated('nobody is told what to do')
      for (const { path, bytes } of files) {
        if (bytes !== null && !disk.bytesOf(path).equals(bytes)) violated(`${path} was changed`)
      }
      return error.message
    }
    const kept = [...contents].findLast(([, content]) => content === said)?.[0]
    if (kept === undefined) violated('changed content was taken for the log')
    // Stated limit: what leaves no trace of itself looks as if it had never been there.
    const trace = this.#traceAfter(kept + 1, files)
    if (trace !== null) violated(`batch ${trace} stands there, and ${kept} is called the newest`)
    return null
  }

  /** A batch after `batch` whose salt still stands in its place. */
  #traceAfter(batch: number, files: readonly (Editable & { path: string })[]): number | null {
    const { frames, salt } = this.#image
    for (const frame of frames) {
      if (frame.batch <= batch) continue
      const { bytes } = files.find(({ path }) => path === frame.path)!
      const at = frame.offset + 24
      if (bytes !== null && bytes.subarray(at, at + 8).equals(salt)) return frame.batch
    }
    return null
  }
}
