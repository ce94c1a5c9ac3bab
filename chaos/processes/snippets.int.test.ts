// The programs that the pages show are run as they stand there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { ProcessCluster } from './process-cluster.ts'

const at = (path: string) => new URL(`../../${path}`, import.meta.url)
const ENTRIES = {
  '@parley/client': at('client/index.ts').href,
  '@parley/client/store': at('client/store/index.ts').href,
}

/** Each program, with what the page says that it prints, if it says so. */
const SNIPPETS = ['README.md', 'client/README.md'].flatMap((page) =>
  [
    ...readFileSync(at(page), 'utf8').matchAll(
      /^```ts\n([\s\S]*?)^```(?:\n\n[^\n`]+\n\n```text\n([\s\S]*?)^```)?/gm,
    ),
  ].map((match, index) => ({
    title: `${page}, the ${['first', 'second', 'third'][index]}`,
    snippet: match[1]!,
    printed: match[2]?.trimEnd().split('\n') ?? null,
  })),
)

let cluster: ProcessCluster
let folder: string
let bob: ChatClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-snippets-'))
  cluster = await ProcessCluster.started(3)
  bob = await ChatClient.connect({ urls: urls(), user: 'bob', device: 'bob' })
  void listen()
})
afterAll(async () => {
  bob.close()
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

/** What bob is sent counts as delivered when he has asked for the next one. */
async function listen(): Promise<void> {
  for await (const message of bob.messages()) expect(message.seq).toBeGreaterThan(0)
}

const urls = () => cluster.nodes.map(({ url }) => url)

/** What a page leaves to the reader: where the nodes are, and what to do with what comes. */
function programOf(snippet: string, alice: string): string {
  const parts = [
    snippet.includes('import { ChatClient }') ? '' : `import { ChatClient } from '@parley/client'`,
    snippet
      .replaceAll(/http:\/\/127\.0\.0\.1:740(\d)/g, (_, port) => urls()[Number(port) - 1]!)
      .replaceAll("'alice'", `'${alice}'`),
    `function print(...shown) { console.log(JSON.stringify(shown)) }
     var [urls, user, device] = [${JSON.stringify(urls())}, '${alice}', 'alice-store']
     var [show, handle] = [print, print]`,
  ]
  // What a snippet uses without having it must be there before its first line.
  const [first, second, third] = parts as [string, string, string]
  const imports = `${first}\n${second}`.match(/^import .*$/gm) ?? []
  const rest = second.replaceAll(/^import .*$/gm, '')
  return `${imports.join('\n')}\n${third}\n${rest}`.replaceAll(
    /from '(@parley\/[a-z/]+)'/g,
    (_, name: keyof typeof ENTRIES) => `from ${JSON.stringify(ENTRIES[name])}`,
  )
}

test('the pages show programs, and what they print', () => {
  expect(SNIPPETS.length).toBeGreaterThanOrEqual(3)
  for (const { snippet, printed } of SNIPPETS) {
    expect(printed !== null, snippet).toBe(snippet.includes('console.log('))
  }
})

test.each(SNIPPETS)('$title: does what the page says', async ({ title, snippet, printed }) => {
  // Each has a conversation of its own with bob.
  const alice = title.replaceAll(/\W/g, '-').toLowerCase()
  const path = join(folder, `${alice}.mjs`)
  await writeFile(path, programOf(snippet, alice))
  const { href } = pathToFileURL(path)
  const child = spawn(process.execPath, ['--input-type=module', '-e', `await import('${href}')`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const ended = once(child, 'close')
  const room = bob.direct(alice)
  const hears = async (what: () => unknown, expected: unknown): Promise<void> => {
    await expect.poll(what, { timeout: 30_000, interval: 20, message: errors }).toEqual(expected)
  }
  try {
    if (printed === null) {
      // What is handed to the reader's own functions.
      room.send('for who goes on')
      await hears(() => output.includes('for who goes on'), true)
    }
    for (const [at, line] of (printed ?? []).entries()) {
      const answer = /^(?:\d+ )?bob (.*)$/.exec(line)?.[1]
      if (answer !== undefined) room.send(answer)
      const lines = () =>
        output
          .replaceAll(alice, 'alice')
          .trimEnd()
          .split('\n')
          .slice(0, at + 1)
      await hears(lines, printed!.slice(0, at + 1))
    }
    // A program may show something before what it sent is stored.
    const writers = async () => (await room.history({ limit: 200 })).events.map(({ from }) => from)
    await expect.poll(writers, { timeout: 30_000 }).toContain(alice)
    expect(errors).toBe('')
  } finally {
    child.kill('SIGKILL')
    await ended
  }
})
