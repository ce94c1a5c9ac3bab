import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Transcript } from './testing/transcript.ts'

const folder = join(import.meta.dirname, 'testdata')
const rewrite = process.env['REWRITE_TRANSCRIPTS'] !== undefined

describe('transcripts: every message, write and application, as written down', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    const path = join(folder, file)
    const text = readFileSync(path, 'utf8')
    // The first line says which rules the file shows.
    const title = text.split('\n')[0]!.replace(/^# /, '')
    test(`${title} (${file})`, () => {
      const actual = new Transcript().run(text)
      if (rewrite) writeFileSync(path, actual)
      else expect(actual).toBe(text)
    })
  }
})
