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

const SNIPPETS = ['README.md', 'client/README.md'].flatMap((page) =>
  [...readFileSync(at(page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(
    (match, index) => [`${page}, the ${['first', 'second', 'third'][index]}`, match[1]!] as const,
  ),
)

let cluster: ProcessCluster
let folder: string
let bob: ChatClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-snippets-'))
  cluster = await ProcessCluster.started(3)
  bob = await ChatClient.connect({ urls: urls(), user: 'bob', device: 'bob' })
})
afterAll(async () => {
  bob.close()
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

const urls = () => cluster.nodes.map(({ url }) => url)

/** What a page leaves to the reader: where the nodes are, and what to do with what comes. */
function programOf(snippet: string): string {
  const parts = [
    snippet.includes('import { ChatClient }') ? '' : `import { ChatClient } from '@parley/client'`,
    snippet
      .replaceAll(/http:\/\/127\.0\.0\.1:740(\d)/g, (_, port) => urls()[Number(port) - 1]!)
      .replaceAll(/console\.log\(/g, 'print('),
    `function print(...shown) { console.log(JSON.stringify(shown)) }
     var [urls, user, device] = [${JSON.stringify(urls())}, 'alice', 'alice-store']
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

test('the pages show programs', () => {
  expect(SNIPPETS.length).toBeGreaterThanOrEqual(3)
})

test.each(SNIPPETS)('%s: sends, and shows what it is sent', async (title, snippet) => {
  const path = join(folder, `${title.replaceAll(/\W/g, '-')}.mjs`)
  await writeFile(path, programOf(snippet))
  const { href } = pathToFileURL(path)
  const child = spawn(process.execPath, ['--input-type=module', '-e', `await import('${href}')`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const ended = once(child, 'close')
  // It listens from some moment on: until then nobody sees what bob says.
  const words = `for ${title}`
  const talk = async () => {
    bob.direct('alice').send(words)
    await expect.poll(() => output, { timeout: 500, interval: 50 }).toContain(words)
  }
  try {
    await expect.poll(talk, { timeout: 20_000, interval: 1 }).toBeUndefined()
    const { events } = await bob.direct('alice').history({ limit: 200 })
    expect(events.some(({ from }) => from === 'alice')).toBe(true)
    expect(errors).toBe('')
  } finally {
    child.kill('SIGKILL')
    await ended
  }
})
