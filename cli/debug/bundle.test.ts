import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import type { Capture } from '../doctor/capture.ts'
import { packBundle, readBundle, withoutTokens } from './bundle.ts'
import { tar, untar } from './tar.ts'

const directory = mkdtempSync(join(tmpdir(), 'parley-bundle-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const CAPTURE: Capture = {
  schema: 1,
  takenAtMs: 1_800_000_000_000,
  nodes: [
    {
      url: 'http://a:1',
      answer: { view: null, failure: 'silent', detail: 'ECONNREFUSED' },
      ...{ metricsBefore: null, metrics: null, self: null, missing: [] },
    },
  ],
}

const pack = () =>
  packBundle({
    capture: CAPTURE,
    logs: new Map([['../n1', ['{"event":"one"}', 'bearer abc.def eyJhbGciOi.eyJzdWIi.c2ln']]]),
    ...{ settings: { windowMs: 1 }, version: '1', missing: ['http://a:1: ECONNREFUSED'] },
  })

test('a bundle is read back as it was made, and tar reads it too', async () => {
  const path = join(directory, 'bundle.tar.gz')
  writeFileSync(path, await pack())
  expect(await readBundle(path)).toEqual(CAPTURE)
  const names = execFileSync('tar', ['-tzf', path]).toString().trim().split('\n')
  expect(names).toContain('doctor.txt')
  execFileSync('tar', ['-xzf', path, '-C', directory])
  expect(readFileSync(join(directory, 'status.txt'), 'utf8')).toContain('UNAVAILABLE')
  const log = readFileSync(join(directory, 'log', '.._n1.ndjson'), 'utf8')
  expect(log).toBe('{"event":"one"}\nbearer [hidden] [hidden]\n')
})

test('what is no bundle is told in a sentence', async () => {
  const path = join(directory, 'other')
  const whole = tar([{ name: 'x', content: Buffer.from('abc') }], 0)
  const other = { ...CAPTURE, schema: 2 }
  for (const content of [
    Buffer.from('nothing'),
    gzipSync(Buffer.alloc(700, 1)),
    gzipSync(whole.subarray(0, 600)),
    gzipSync(whole),
    gzipSync(tar([{ name: 'capture.json', content: Buffer.from(JSON.stringify(other)) }], 0)),
    (await pack()).subarray(0, 200),
  ]) {
    writeFileSync(path, content)
    await expect(readBundle(path)).rejects.toMatchObject({
      ...{ exitCode: 1, message: expect.stringContaining('cannot be read as a bundle') },
    })
  }
  await expect(readBundle(join(directory, 'none'))).rejects.toMatchObject({ exitCode: 1 })
})

test('files of every length come back whole', () => {
  const files = [0, 1, 511, 512, 513, 5_000].map((length, at) => ({
    name: `f${at}`,
    content: Buffer.alloc(length, at + 1),
  }))
  expect(untar(tar(files, 5))).toEqual(files)
})

test('words that look like tokens are blanked out', () => {
  expect(withoutTokens('"authorization":"Bearer abc.DEF-9"')).not.toContain('DEF')
  expect(withoutTokens('{"event":"node.started"}')).toBe('{"event":"node.started"}')
})
