// Starts that cannot go well: each ends with one sentence that says what to do.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32c } from '@node-rs/crc32'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { main } from '../../cli/main.ts'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { ProcessCluster } from './process-cluster.ts'
import { TOKEN_SECRET } from './token-of.ts'
import { WireClient } from '../workload/wire-client.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const SMALL = ['--log-segment-bytes', '65536', '--checkpoint-bytes', '100000']

let cluster: ProcessCluster
/** The data of n2 as it stopped in good order. */
let backup: string
let spare: readonly [client: number, peer: number]

beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  await cluster.startAll({ flags: SMALL })
  await cluster.healthy()
  const client = await WireClient.connect(cluster.node('n1').url, 'ann', 'a')
  const body = 'x'.repeat(1_000)
  // In rounds, so that it takes many batches and several segments.
  for (let round = 0; round < 20; round += 1) {
    const ids = Array.from({ length: 20 }, (_, n) => `m${round}-${n}`)
    await Promise.all(ids.map((msgId) => client.say({ to: 'bob' }, msgId, body)))
  }
  await client.leave()
  await cluster.converged()
  await cluster.signal('n2', 'SIGTERM')
  backup = join(cluster.directory, 'backup')
  await cp(cluster.node('n2').data, backup, { recursive: true })
  spare = (await freePorts(2)) as [number, number]
})
afterAll(() => cluster.close())

interface Outcome {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Runs `parley node` until it ends; one that goes on is ended. */
function run(flags: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, 'node', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), 100_000)
    const [output, errors]: [string[], string[]] = [[], []]
    child.stdout.on('data', (data) => output.push(String(data)))
    child.stderr.on('data', (data) => errors.push(String(data)))
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, output: output.join(''), errors: errors.join('') })
    })
  })
}

/** The same for what is refused before anything starts, in this process: quicker. */
async function usage(words: readonly string[]): Promise<Outcome> {
  const said: string[] = []
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.push(String(text))
    return true
  })
  try {
    return { code: await main(['node', ...words]), output: '', errors: said.join('') }
  } finally {
    spy.mockRestore()
  }
}

/** The flags that start n2, some of them otherwise. */
function flags(other: Record<string, string> = {}): string[] {
  const n2 = cluster.node('n2')
  const all = {
    ...{ name: 'n2', listen: new URL(n2.url).host, 'peer-listen': n2.peerAddress, data: n2.data },
    'initial-members': cluster.nodes
      .map(({ name, url, peerAddress }) => `${name}=${new URL(url).host}/${peerAddress}`)
      .join(','),
    ...other,
  }
  return [...SMALL, ...Object.entries(all).flatMap(([flag, value]) => [`--${flag}`, value])]
}

/** Every file below the directory with a digest; locks are taken and left at every start. */
async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith('LOCK')) continue
    const path = join(entry.parentPath, entry.name)
    found[path] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  }
  return found
}

function expectOneSentence(outcome: Outcome, code: number, words: RegExp): void {
  expect(outcome, outcome.errors).toMatchObject({ code })
  expect(outcome.errors).toMatch(words)
  expect(outcome.errors).toMatch(/^(parley|error): [^\n]+\n+$/)
  expect(outcome.errors + outcome.output).not.toMatch(/\n\s+at |undefined|\[object/)
}

describe('flags', () => {
  const members = 'n1=h:1/h:2'
  const wrong: readonly [string, () => string[], RegExp][] = [
    ['an unknown one', () => [...flags(), '--nonsense'], /there is no flag --nonsense/],
    ['a word too many', () => [...flags(), 'more'], /"more" is one word too many/],
    ['no address', () => flags({ listen: 'nonsense' }), /--listen must be host:port/],
    ['no port', () => flags({ 'peer-listen': 'h:99999' }), /--peer-listen must be host:port/],
    ['no members', () => flags({ 'initial-members': 'n1' }), /"n1" is not name=host:port/],
    [
      'not a member',
      () => flags({ 'initial-members': members }),
      /--initial-members must name this node, n2: it names n1/,
    ],
    [
      'a member twice',
      () => flags({ 'initial-members': `${members},n1=h:3/h:4` }),
      /n1 appears twice/,
    ],
    [
      'a name that is none',
      () => flags({ 'initial-members': 'a b=h:1/h:2' }),
      /"a b" is not a name/,
    ],
    ['a size too small', () => flags({ 'log-segment-bytes': '1' }), /--log-segment-bytes must be/],
    [
      'a size that is none',
      () => flags({ 'checkpoint-bytes': 'big' }),
      /--checkpoint-bytes must be/,
    ],
    [
      'an unknown level',
      () => flags({ 'log-level': 'loud' }),
      /--log-level must be one of debug, info, warn, error, silent, not "loud"/,
    ],
    [
      'no configuration',
      () => flags({ config: '/nowhere/c.json' }),
      /cannot read \/nowhere\/c.json/,
    ],
  ]
  test.each(wrong)('%s: 64, and what is wrong with it', async (_, words, sentence) => {
    expectOneSentence(await usage(words()), 64, sentence)
  })

  test('a configuration file with an unknown or a wrong option', async () => {
    const file = join(cluster.directory, 'config.json')
    await writeFile(file, JSON.stringify({ nonsense: 1 }))
    expectOneSentence(
      await usage(flags({ config: file })),
      64,
      /config.json: there is no option nonsense/,
    )
    await writeFile(file, JSON.stringify({ logLevel: 7 }))
    expectOneSentence(
      await usage(flags({ config: file })),
      64,
      /config.json: logLevel must be one of .*, not 7/,
    )
    await writeFile(file, 'nonsense')
    expectOneSentence(
      await usage(flags({ config: file })),
      64,
      /config.json must hold names of options/,
    )
  })
})

test('everything that is wrong is told at once, wherever it came from', async () => {
  const file = join(cluster.directory, 'wrong.yaml')
  await writeFile(file, 'logLevl: info\nuserRate: fast\n')
  const words = [...flags({ config: file, 'token-leeway': '5' }), '--alow-origins', 'x', '--dev']
  const { code, errors } = await run(words, { PARLEY_USR_RATE: '1', PARLEY_KEEP_ALIVE: '1ms' })
  expect(code).toBe(64)
  expect(errors).toMatch(/^parley: 6 things are wrong with the configuration, nothing was started/)
  for (const said of [
    'there is no flag --alow-origins; did you mean --allowed-origins?',
    'PARLEY_USR_RATE names no option; did you mean PARLEY_USER_RATE?',
    `${file}: there is no option logLevl; did you mean logLevel?`,
    '--token-leeway must be a duration from 0ms to 10m, like 250ms, 30s or 5m, not "5"',
    `${file}: userRate must be a number from 0.001 to 1,000,000 (writes per second), not "fast"`,
    'PARLEY_KEEP_ALIVE must be a duration from 1s to 1h, like 250ms, 30s or 5m, not "1ms"',
  ]) {
    expect(errors).toContain(`\n  ${said}\n`)
  }
})

test('a configuration is checked and printed without a node', async () => {
  const data = join(cluster.directory, 'not-made')
  const checked = await run([...flags({ data }), '--check'])
  expect(checked).toMatchObject({
    ...{ code: 0, output: '' },
    errors: 'parley: the configuration is right; nothing was started\n',
  })
  const printed = await run([...flags({ data }), '--print-config'], { PARLEY_USER_RATE: '7' })
  const file = join(cluster.directory, 'printed.yaml')
  await writeFile(file, printed.output)
  // What is printed is a file that says the same.
  const again = await run(['--config', file, '--print-config'])
  expect(again).toEqual(printed)
  const table = await run(['--config', file, '--print-config', '--origin'], { PARLEY_DEV: '1' })
  expect(table.output).toMatch(/^OPTION +VALUE +ORIGIN\n/)
  expect(table.output).toMatch(/\nuserRate +7 +.*printed\.yaml: userRate\n/)
  expect(table.output).toMatch(/\ndev +true +PARLEY_DEV\n/)
  const broken = join(cluster.directory, 'no-key')
  await writeFile(broken, 'short', { mode: 0o600 })
  const key = ['--token-secret-file', broken]
  expectOneSentence(
    await run([...flags({ data }), ...key, '--check']),
    1,
    /at least 32 bytes, this/,
  )
  await expect(readdir(data)).rejects.toThrow('ENOENT')
})

describe('the machine', () => {
  test.each([
    ['the client port is in use', () => ({ listen: new URL(cluster.node('n1').url).host })],
    ['the peer port is in use', () => ({ 'peer-listen': cluster.node('n1').peerAddress })],
  ])('%s', async (_, other) => {
    expectOneSentence(await run(flags(other())), 1, /another process listens there: stop it or/)
  })

  test('an address of another machine', async () => {
    const elsewhere = flags({ listen: '192.0.2.1:7401' })
    expectOneSentence(await run(elsewhere), 5, /can be reached from other machines/)
    const secret = join(cluster.directory, 'token-secret')
    await writeFile(secret, TOKEN_SECRET, { mode: 0o600 })
    const outcome = await run([...elsewhere, '--token-secret-file', secret])
    expectOneSentence(outcome, 1, /192\.0\.2\.1:7401: this machine has no such address/)
    const dev = await run([...elsewhere, '--token-secret-file', secret, '--dev'])
    expectOneSentence(dev, 5, /--dev lets in who shows no token/)
  })

  test.each([
    ['admin-listen', /192\.0\.2\.1:7401 can .* no key .* or let it --admin-listen on 127\.0\.0\.1/],
    ['peer-listen', /192\.0\.2\.1:7401 can .* give all nodes --cluster-secret-file/],
  ])('[NI11] %s of another machine by who cannot tell its callers apart', async (flag, why) => {
    expectOneSentence(await run(flags({ [flag]: '192.0.2.1:7401' })), 5, why)
  })

  test('a directory that cannot be written', async () => {
    const file = join(cluster.directory, 'a-file')
    await writeFile(file, 'kept')
    const outcome = await run(flags({ data: join(file, 'data') }))
    expectOneSentence(outcome, 1, /a-file\/data .*choose another with --data/)
    expect(await readFile(file, 'utf8')).toBe('kept')
  })
})

describe('the data directory', () => {
  const elsewhere = () => ({
    listen: `127.0.0.1:${spare[0]}`,
    'peer-listen': `127.0.0.1:${spare[1]}`,
  })
  const logOf = (data: string) => join(data, 'log')
  const segments = async (data: string) =>
    (await readdir(logOf(data))).filter((name) => name.startsWith('segment-')).sort()

  async function poke(path: string, at: number, bytes: Uint8Array): Promise<void> {
    const file = await open(path, 'r+')
    await file.write(bytes, 0, bytes.length, at)
    await file.close()
  }

  test('of a running node', async () => {
    const { data, process: child } = cluster.node('n1')
    const n1 = { name: 'n1', data, ...elsewhere() }
    const outcome = await run(flags(n1))
    expectOneSentence(outcome, 1, new RegExp(`n1/log is in use by process ${child!.pid}: stop`))
    await cluster.state('n1').then((state) => expect(state?.ready).toBe(true))
  })

  test('without its newest segments: told by its own files or by the leader, and ended', async () => {
    const data = join(cluster.directory, 'short')
    await cp(backup, data, { recursive: true })
    const [, ...newer] = await segments(data)
    expect(newer.length).toBeGreaterThan(0)
    for (const name of newer) await rm(join(logOf(data), name))
    const { code, output, errors } = await run(flags({ data }))
    expect(code).toBe(3)
    expect(output + errors).toMatch(
      /(forgot what it had synced|lost what was synced|log is damaged).*members replace/,
    )
  })

  const damaged = 3
  const refused = 5
  const spoiled: readonly [string, (data: string) => Promise<unknown>, number, RegExp, object?][] =
    [
      [
        'of another node',
        async () => {},
        refused,
        /belongs to node n2, not n3: start n2/,
        { name: 'n3' },
      ],
      [
        'of a newer version',
        (data) => writeFile(join(data, 'node.json'), '{"format":2,"name":"n2"}\n'),
        refused,
        /written by a newer version \(format 2.*upgrade this node/,
      ],
      [
        'with a damaged label',
        (data) => writeFile(join(data, 'node.json'), '{"form'),
        damaged,
        /node.json is damaged; .*parley members replace n2/,
      ],
      [
        'with a flipped bit in a segment',
        async (data) => {
          const path = join(logOf(data), (await segments(data))[1]!)
          const byte = (await readFile(path)).subarray(1_000, 1_001)
          await poke(path, 1_000, Buffer.from([byte[0]! ^ 1]))
        },
        damaged,
        /the log is damaged: .*Nothing was changed.*parley members replace/,
      ],
      [
        'without its oldest segment',
        async (data) => rm(join(logOf(data), (await segments(data))[0]!)),
        damaged,
        /the log is damaged: .*is missing before it.*parley members replace/,
      ],
      [
        'with a log of a newer version',
        async (data) => {
          const path = join(logOf(data), (await segments(data))[0]!)
          const bytes = await readFile(path)
          bytes.writeUInt16LE(2, 8)
          const end = (40 + bytes.readUInt32LE(12) + 7) & ~7
          bytes.writeUInt32LE(crc32c(bytes.subarray(8, end)), 4)
          await writeFile(path, bytes)
        },
        refused,
        /has format 2, this version knows 1: start the version of parley that wrote it/,
      ],
      [
        'without its log',
        (data) => rm(logOf(data), { recursive: true }),
        damaged,
        /has a store and no log: .*parley members replace n2, and start n2 with an empty/,
      ],
    ]
  test.concurrent.each(spoiled)(
    '%s: refused, untouched',
    async (title, spoil, code, sentence, other = {}) => {
      const data = join(cluster.directory, title.replaceAll(' ', '-'))
      await cp(backup, data, { recursive: true })
      await spoil(data)
      const before = await contents(data)
      const outcome = await run(flags({ data, ...elsewhere(), ...other }))
      expectOneSentence(outcome, code, sentence)
      const after = await contents(data)
      for (const [path, digest] of Object.entries(before)) expect(after[path], path).toBe(digest)
    },
  )
})
