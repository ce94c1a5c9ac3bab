// What the pages tell people to type is typed here.
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DevProcess, type Outcome, parley } from './dev/testing/dev-process.ts'
import { freeDevPort } from './dev/testing/free-dev-port.ts'
import { temporaryDirectory } from './dev/testing/fake-cluster.ts'
import { main } from './main.ts'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const PARLEY = join(ROOT, 'cli', 'parley.mjs')

const pages = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (['node_modules', '.git', '.parley', '.cache', 'dist'].includes(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return pages(path)
    return entry.name.endsWith('.md') ? [path] : []
  })

const PAGES = pages('').map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))

/** The commands of the `sh` blocks of a page, in order. */
const commandsOf = (text: string): string[] =>
  [...text.matchAll(/^```(?:sh|bash|shell|console)\n([\s\S]*?)^```/gm)].flatMap((block) =>
    (block[1] ?? '')
      .split('\n')
      .map((line) => line.replace(/^\$ /, '').trim())
      .filter((line) => line !== '' && !line.startsWith('#')),
  )

const readme = commandsOf(PAGES.find(({ path }) => path === 'README.md')?.text ?? '')

describe('the first screen of the README', () => {
  const directory = temporaryDirectory()
  const typed = new Map<string, Outcome>()
  let dev: DevProcess
  let listener: { output: string; stop(): Promise<void> }

  beforeAll(async () => {
    const [start, listen, ...rest] = readme
    if (start !== 'npm start' || listen !== 'npx parley tail --as bob') {
      throw new Error('the README begins with other commands than this test types')
    }
    dev = new DevProcess(directory.path, ['--port', String(await freeDevPort())])
    await dev.ready()
    listener = startListener(directory.path, wordsOf(listen))
    while (!listener.output.includes('bob listens')) await delay(20)
    for (const command of rest.filter((line) => line.startsWith('npx parley '))) {
      typed.set(command, await parley(wordsOf(command), directory.path))
    }
  })

  afterAll(async () => {
    await listener?.stop()
    await dev?.stop()
    directory.remove()
  })

  test('a message is sent, and arrives', async () => {
    expect(typed.get('npx parley send --as alice --to bob "hi"')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^sent · \S+ · seq 1 · /),
    })
    await expect.poll(() => listener.output).toMatch(/ 1 {2}alice: hi\n/)
  })

  test('the leader is killed, and that is shown', () => {
    expect(typed.get('npx parley dev kill leader')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^killed n\d \(pid \d+\); n\d leads after \d+ ms\n$/),
    })
    expect(typed.get('npx parley status')).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/^DEGRADED · n\d does not answer · writes go on/),
    })
  })

  test('the next one is sent, both are there, and who listened went on', async () => {
    expect(typed.get('npx parley send --as alice --to bob "still there?"')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ · seq 2 · /),
    })
    expect(typed.get('npx parley tail --as bob --no-follow')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ 1 {2}alice: hi\n.* 2 {2}alice: still there\?\n$/s),
    })
    await expect.poll(() => listener.output).toMatch(/ 2 {2}alice: still there\?\n/)
  })
})

test('no page has a command in a block that no test types', () => {
  const scripts = Object.keys(
    (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }).scripts,
  )
  // `npm start` and `npm test` from a fresh clone: cli/launcher/fresh-clone.ci.test.ts.
  const elsewhere = scripts.flatMap((name) => [`npm ${name}`, `npm run ${name}`])
  const unknown = PAGES.flatMap(({ path, text }) =>
    commandsOf(text)
      .filter((command) => !readme.includes(command) && !elsewhere.includes(command))
      // On a real engine: chaos/containers.
      .filter((command) => !command.startsWith('docker compose '))
      .map((command) => `${path}: ${command}`),
  )
  expect(unknown).toEqual([])
})

test('every parley command that a page names exists', async () => {
  const named = new Set(
    PAGES.flatMap(({ text }) =>
      [...text.matchAll(/`(?:npx )?parley ((?:dev )?[a-z]+)\b[^`]*`/g)].map(
        (match) => match[1] ?? '',
      ),
    ),
  )
  const wrong: string[] = []
  for (const command of named) {
    const { code } = await quietly(() => main([...command.split(' '), '--help']))
    if (code !== 0) wrong.push(command)
  }
  expect(named.size).toBeGreaterThan(3)
  expect(wrong).toEqual([])
})

test('every option that a page gives to a command is one it has', async () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = PAGES.flatMap(({ path, text }) =>
    [...text.matchAll(/(?:npx parley|npm run [a-z:]+ --|node (?:bench|chaos)\/)[^`|#\n]*/g)].map(
      ([command]) => ({ path, command: command.trim() }),
    ),
  )
  const withOptions = named.filter(({ command }) => /\s--[a-z]/.test(command))
  expect(withOptions.length).toBeGreaterThan(10)
  const wrong: string[] = []
  const helps = new Map<string, Promise<string>>()
  for (const { path, command } of withOptions) {
    const program = command
      .replace(/^npx parley/, 'node cli/main.ts')
      .replace(/^npm run ([a-z:]+) --/, (_, name: string) => scripts[name] ?? name)
      .replace(/^node cli\/run\.mjs /, '')
    const options = command.match(/(?<=\s)--[a-z][a-z-]*/g) ?? []
    const [name = ''] = program.split(' --')
    const help = helps.get(name) ?? helpOf(name)
    helps.set(name, help)
    const said = await help
    const unknown = options.filter((option) => !said.includes(option))
    if (unknown.length > 0) wrong.push(`${path}: ${command}: no ${unknown.join()}`)
  }
  expect(wrong).toEqual([])
})

test('every npm script that a page names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = PAGES.flatMap(({ text }) =>
    [...text.matchAll(/npm run ([a-z:-]+)/g)].map((m) => m[1] ?? ''),
  )
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

/** What `node …` says when it is asked what it takes. */
function helpOf(program: string): Promise<string> {
  const words = [...program.split(' ').slice(1), '--help']
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (data) => (said += String(data)))
  return new Promise((resolve) => child.once('close', () => resolve(said)))
}

/** `npx parley send --to bob "hi there"` → `send`, `--to`, `bob`, `hi there`. */
function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
  if (words[0] !== 'npx' || words[1] !== 'parley')
    throw new Error(`not a parley command: ${command}`)
  return words.slice(2)
}

function startListener(cwd: string, args: readonly string[]) {
  const child = spawn(process.execPath, [PARLEY, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PARLEY_URL: '' },
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const listener = {
    output: '',
    stop: () => {
      child.kill('SIGTERM')
      return ended
    },
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => (listener.output += String(data)))
  }
  return listener
}

async function quietly(run: () => Promise<number>): Promise<{ code: number }> {
  const write = process.stdout.write.bind(process.stdout)
  const writeError = process.stderr.write.bind(process.stderr)
  process.stdout.write = () => true
  process.stderr.write = () => true
  try {
    return { code: await run() }
  } finally {
    process.stdout.write = write
    process.stderr.write = writeError
  }
}
