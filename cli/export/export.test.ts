import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryDirectory } from '../dev/testing/fake-cluster.ts'
import { exportConversation } from './export-conversation.ts'
import { fileTarget } from './export-target.ts'

const CONV = 'g_1'
const HEAD = 20
const PAGE = 6
const described = JSON.stringify({ t: 'conv:A', id: 0, conversation: { id: CONV, head: HEAD } })
const eventAt = (seq: number) =>
  JSON.stringify({ t: 'msg:N', conv: CONV, seq, body: 'ö'.repeat(9) })
/** What an export that nothing disturbed holds: retention took 1 to 3. */
const GAP = JSON.stringify({ gap: { from: 1, to: 3, reason: 'retention' } })
const WHOLE = [described, GAP, ...range(4, HEAD).map(eventAt), ''].join('\n')

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
}

/** A page as a node gives it. */
function pageAfter(after: number): string {
  const last = Math.min(HEAD, Math.max(after, 3) + PAGE)
  const lines = [
    ...(after === 0 ? [described] : []),
    ...(after < 3 ? [GAP] : []),
    ...range(Math.max(after, 3) + 1, last).map(eventAt),
    JSON.stringify({ next: last, hasMore: last < HEAD, head: HEAD }),
  ]
  return `${lines.join('\n')}\n`
}

const directory = temporaryDirectory()
let server: Server
let url: string
/** What happens to the next calls, from the front; then they are answered. */
let troubles: ((response: ServerResponse, page: string) => void)[]
let marks: (string | undefined)[]

beforeEach(async () => {
  troubles = []
  marks = []
  server = createServer((request, response) => {
    const after = Number(new URL(request.url!, 'http://x').searchParams.get('after'))
    marks.push(request.headers['parley-mark'] as string | undefined)
    const trouble = troubles.shift()
    if (trouble !== undefined) return trouble(response, pageAfter(after))
    response.writeHead(200, { 'parley-mark': `e.${after}` }).end(pageAfter(after))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

let files = 0
const newFile = () => join(directory.path, `export-${(files += 1)}`)

function run(path: string, { resume = false, patienceMs = 10_000 } = {}) {
  const target = fileTarget(path, { conversation: CONV, resume })
  const call = { urls: [url], timeoutMs: 5_000, patienceMs }
  return exportConversation(CONV, target, call, () => {}).finally(() => target.close())
}

/** As far as the first half of the page, and no further. */
const cutOff = (response: ServerResponse, page: string): void => {
  response.writeHead(200, { 'content-length': Buffer.byteLength(page) })
  response.write(page.slice(0, page.length / 2), () => response.destroy())
}
/** Whole for HTTP, but not for who counts lines. */
const shortened = (response: ServerResponse, page: string): void => {
  response.end(page.slice(0, page.lastIndexOf('{')))
}
const busy = (response: ServerResponse): void => {
  response.writeHead(503).end(JSON.stringify({ code: 'BEHIND', retryable: true }))
}

test('what is cut off on the way is asked for again, and is there once', async () => {
  troubles = [busy, cutOff, shortened, cutOff]
  const path = newFile()
  expect(await run(path)).toEqual({ seq: HEAD, head: HEAD })
  expect(readFileSync(path, 'utf8')).toBe(WHOLE)
  // A page never shows less than the one before: whichever node gives it.
  expect(marks.slice(-3)).toEqual([undefined, 'e.0', 'e.9'])
})

test('a file that ends anywhere is gone on with, and comes to the same', async () => {
  const bytes = Buffer.byteLength(WHOLE)
  for (let size = 0; size <= bytes; size += 7) {
    const path = newFile()
    writeFileSync(path, WHOLE)
    truncateSync(path, size)
    await run(path, { resume: true })
    expect(readFileSync(path, 'utf8'), `cut at ${size}`).toBe(WHOLE)
  }
  const path = newFile()
  await run(path, { resume: true })
  expect(readFileSync(path, 'utf8')).toBe(WHOLE)
})

test('what is no export of the conversation is not touched', async () => {
  const other = JSON.stringify({ t: 'msg:N', conv: 'g_2', seq: 4 })
  for (const text of ['notes\n', `${other}\n`, '{"t":"conv:A","conversation":{"id":"g_2"}}\n']) {
    const path = newFile()
    writeFileSync(path, text)
    expect(() => fileTarget(path, { conversation: CONV, resume: true })).toThrow('is no export of')
    expect(() => fileTarget(path, { conversation: CONV, resume: false })).toThrow('there already')
    expect(readFileSync(path, 'utf8')).toBe(text)
  }
})

test('without any node it ends, and keeps what it has; of nothing it leaves no file', async () => {
  const path = newFile()
  const forEver = Array.from({ length: 1_000 }, () => busy)
  troubles = [(response, page) => response.end(page), ...forEver]
  await expect(run(path, { patienceMs: 300 })).rejects.toMatchObject({ exitCode: 1 })
  const kept = readFileSync(path, 'utf8')
  expect(kept).not.toBe('')
  expect(WHOLE.startsWith(kept)).toBe(true)
  appendFileSync(path, '{"t":"msg:N","conv":"g_1","se')
  troubles = []
  await run(path, { resume: true })
  expect(readFileSync(path, 'utf8')).toBe(WHOLE)

  troubles = [(response) => response.writeHead(404).end(JSON.stringify({ retryable: false }))]
  const none = newFile()
  await expect(run(none)).rejects.toMatchObject({ exitCode: 5 })
  expect(existsSync(none)).toBe(false)
})
