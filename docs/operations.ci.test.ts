// What docs/operations.md shows is typed here, on real nodes.
import { spawn } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { mkdir, open, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { TOKEN_SECRET, tokenOf } from '../chaos/processes/token-of.ts'
import { lasting, type Terminal, terminalsOf, type Typed, withTerminals } from './typed-page.ts'

const CLI = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const PAGE = readFileSync(new URL('operations.md', import.meta.url), 'utf8')
/** In which what passes by itself has passed. */
const SETTLE_MS = 30_000
const HOUR_S = 3_600

/** One terminal of the page: what is there before it is typed, and what is not as usual with it. */
interface Scene {
  /** Its first command begins with this. */
  readonly types: string
  readonly before?: () => Promise<unknown>
  /** By a piece of the command, where it is not 0. */
  readonly codes?: Readonly<Record<string, number>>
  /** Changes nothing: typed again until it says what the page does. */
  readonly settles?: boolean
  /** Other lines may come as well: what else is found on a busy machine. */
  readonly isExcerpt?: boolean
  /** Nodes come in the order of who leads. */
  readonly anyOrder?: boolean
}

let cluster: ProcessCluster
let clusterId: string
let ssh: Server
/** As the system has it: what commands resolve. */
let home: string
const changed = new Map<Terminal, Typed[]>()
const terminals = terminalsOf(PAGE)
const known = new Set<Terminal>()

const inHome = (name: string): string => join(home, name)
const config = (more: string): Promise<void> =>
  writeFile(inHome('cluster.yaml'), `tokenSecretFile: ${inHome('secret')}\n${more}`)
const start = (name: string, joins = false): Promise<void> =>
  cluster.start(name, {
    ...{ dev: false, joins, founders: ['n1', 'n2', 'n3'] },
    flags: ['--config', inHome('cluster.yaml')],
  })
const empty = (name: string): Promise<void> => rm(cluster.node(name).data, { recursive: true })

beforeAll(async () => {
  cluster = await ProcessCluster.create(4)
  home = realpathSync(cluster.directory)
  const token = (sub: string, more = {}) =>
    tokenOf({ sub, exp: Math.floor(Date.now() / 1_000) + HOUR_S, ...more })
  cluster.headers = () => ({ authorization: `Bearer ${token('op', { role: 'admin' })}` })
  await writeFile(inHome('secret'), TOKEN_SECRET, { mode: 0o600 })
  await writeFile(inHome('operator'), token('op', { role: 'admin' }), { mode: 0o600 })
  await writeFile(inHome('bench.token'), token('bench', { role: 'service' }), { mode: 0o600 })
  for (const user of ['ann', 'eve', 'fay']) {
    await writeFile(inHome(`${user}.token`), token(user), { mode: 0o600 })
  }
  await config('userRate: 50\n')
  await makePrograms()
  await Promise.all(['n1', 'n2', 'n3'].map((name) => start(name)))
  await cluster.healthy()
  clusterId = (await cluster.state('n1'))!.clusterId
})
afterAll(async () => {
  ssh.close()
  await cluster.close()
})

/** `parley`, and an `ssh` that restarts the node that it is to reach. */
async function makePrograms(): Promise<void> {
  ssh = createServer((request, response) => {
    const name = request.url!.slice(1)
    void cluster
      .signal(name, 'SIGTERM')
      .then(() => start(name))
      .then(() => response.end())
  })
  await new Promise<void>((resolve) => ssh.listen(0, '127.0.0.1', () => resolve()))
  const { port } = ssh.address() as AddressInfo
  const restart = `fetch('http://127.0.0.1:${port}/' + process.argv[1]).then((said) => said.text())`
  await mkdir(inHome('bin'))
  for (const [name, line] of [
    ['parley', `exec '${process.execPath}' '${CLI}' "$@"`],
    ['ssh', `exec '${process.execPath}' -e "${restart}" "$1"`],
  ] as const) {
    await writeFile(inHome(`bin/${name}`), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  }
}

/** What stands on the page for something that is another one each time; commands name it too. */
function names(): [real: string, page: string][] {
  const addresses = cluster.nodes.flatMap(({ url, peerAddress }, at): [string, string][] => [
    [new URL(url).host, `192.0.2.1${at + 1}:7400`],
    [peerAddress, `192.0.2.1${at + 1}:7500`],
  ])
  return [
    ...addresses,
    [inHome('n1'), '/var/lib/parley'],
    [home, '/srv/ops'],
    [clusterId, 'd0348e385b3040078fa703a1cfc1ff62'],
  ]
}

const asReal = (text: string): string =>
  names().reduce((said, [real, page]) => said.replaceAll(page, real), text)
const asOnPage = (text: string): string =>
  names().reduce((said, [real, page]) => said.replaceAll(real, page), text)

/** Types it in a shell, and takes what a terminal would show. */
function run(command: string): Promise<Typed & { code: number | null }> {
  const child = spawn('sh', ['-c', `exec 2>&1\n${asReal(command)}`], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      PATH: `${inHome('bin')}:${process.env['PATH']}`,
      PARLEY_URL: cluster.running.map(({ url }) => url).join(','),
      PARLEY_TOKEN_FILE: inHome('operator'),
    },
  })
  let said = ''
  child.stdout.on('data', (data) => (said += String(data)))
  return new Promise((resolve) => {
    child.once('close', (code) => {
      const text = asOnPage(said).trimEnd()
      resolve({ command, code, output: text === '' ? [] : text.split('\n') })
    })
  })
}

/** So that the page tells one story: elections may have had it otherwise. */
async function n1Leads(): Promise<void> {
  await cluster.healthy()
  const transfer = async () => (await run('parley transfer n1')).code
  await expect.poll(transfer, { timeout: SETTLE_MS }).toBe(0)
  await cluster.healthy()
}

async function withoutN3(): Promise<void> {
  await n1Leads()
  await cluster.kill('n3')
}

async function allBack(): Promise<void> {
  for (const { name, process } of cluster.nodes.slice(0, 3)) {
    if (process === null) await start(name)
  }
  await n1Leads()
}

/** What the nodes, and the tokens that were made, began with. */
async function oldKey(): Promise<void> {
  await config('userRate: 60\n')
  for (const { name } of cluster.running) {
    const reload = `parley reload ${name}`
    expect(await run(`${reload} --token-file operator.next || ${reload}`)).toMatchObject({
      code: 0,
    })
  }
  await n1Leads()
}

async function lostForGood(): Promise<void> {
  await cluster.converged()
  for (const { name } of cluster.running) await cluster.kill(name)
  await empty('n2')
  await empty('n3')
}

/** A bit of a batch that has others behind it. */
async function damageLog(): Promise<void> {
  const files = await readdir(inHome('n1/log'))
  const [name] = files.filter((file) => file.startsWith('segment-')).sort()
  const file = await open(inHome(`n1/log/${name}`), 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, 616)
  byte[0]! ^= 1
  await file.write(byte, 0, 1, 616)
  await file.close()
}

const node = (more: string) => async () =>
  writeFile(
    inHome('node.yaml'),
    `name: n1
listen: 127.0.0.1:7400
peerListen: 127.0.0.1:7500
data: data
initialMembers: [n1=127.0.0.1:7400/127.0.0.1:7500]
${more}`,
  )

const SCENES: readonly Scene[] = [
  { types: 'parley status', before: withoutN3, codes: { status: 3 }, settles: true },
  { types: 'parley doctor', settles: true, isExcerpt: true },
  { types: 'parley debug', isExcerpt: true, codes: { 'status --bundle': 3 } },
  { types: 'parley members check n2', codes: { check: 5 }, settles: true },
  { types: 'parley send', before: allBack },
  { types: 'parley trace', settles: true },
  { types: 'parley lag', settles: true },
  {
    types: 'PARLEY_LOG_LEVEL=loud parley node',
    before: node('userRaet: 5\ntokenLeeway: 5\n'),
    codes: { '--check': 64 },
  },
  { types: 'PARLEY_LOG_LEVEL=warn parley node', before: node('tokenLeeway: 5s\n') },
  {
    types: 'parley reload n1',
    before: () =>
      config('userRate: 60\nallowedOrigins: https://a.example\ncheckpointBytes: 8MiB\n'),
  },
  { types: 'parley settings', codes: { 'windowMs=5': 5 } },
  { types: 'parley members check n3', before: n1Leads, settles: true },
  { types: 'parley members', settles: true },
  { types: 'parley members add n4', before: () => start('n4', true) },
  { types: 'parley members remove n4', before: n1Leads },
  {
    types: 'parley members replace n3',
    before: async () => {
      expect(await cluster.ended('n4')).toMatchObject({ code: 0 })
      await n1Leads()
      await cluster.kill('n3')
      await empty('n3')
      await config('userRate: 60\n')
      await start('n3')
      const members = async () => (await run('parley members --json')).output.join()
      await expect.poll(members, { timeout: SETTLE_MS }).toContain('"strangers":["n3"]')
    },
  },
  { types: 'parley capacity', before: n1Leads, settles: true },
  { types: 'parley conversation export', before: n1Leads, codes: { erase: 5 } },
  { types: 'parley conversation show', settles: true },
  {
    types: 'parley user erase eve --yes',
    before: () => run('parley send --to fay "who was here?" --token-file eve.token'),
  },
  { types: 'parley token revoke', codes: { send: 5 } },
  { types: 'parley token keygen', before: oldKey },
  { types: 'sed', codes: { settings: 5 } },
  { types: 'parley transfer n2', before: oldKey },
  { types: 'parley drain n2', before: n1Leads },
  { types: 'parley roll', before: allBack, anyOrder: true },
  { types: 'parley upgrade', before: allBack, settles: true },
  { types: 'parley backup', before: allBack },
  { types: 'parley restore' },
  { types: 'parley certs init' },
  { types: 'parley recover collect', before: lostForGood },
  { types: 'parley recover plan' },
  {
    types: 'parley members add n2',
    before: async () => {
      await start('n1')
      await cluster.healthy()
      await start('n2', true)
      await start('n3', true)
    },
  },
  {
    types: 'parley verify',
    before: async () => {
      // Three again, and they have what was acknowledged before.
      await cluster.healthy()
      expect((await cluster.state('n3'))!.members.map(({ role }) => role)).toEqual(
        Array.from({ length: 3 }, () => 'voter'),
      )
      const { output } = await run('parley tail --no-follow --token-file ann.token')
      expect(output.join()).toContain('is it there?')
      await cluster.signal('n1', 'SIGTERM')
    },
  },
  { types: 'parley verify', before: damageLog, codes: { verify: 3 } },
]

describe('docs/operations.md', () => {
  test.each(SCENES)('$types', async (scene) => {
    const terminal = terminals.find((one) => {
      const first = one.typed[0]!.command
      const isIt = first === scene.types || first.startsWith(`${scene.types} `)
      return isIt && !known.has(one)
    })
    if (terminal === undefined) throw new Error(`the page shows no ${scene.types}`)
    known.add(terminal)
    await scene.before?.()
    const deadline = performance.now() + (scene.settles === true ? SETTLE_MS : 0)
    for (;;) {
      const now: Typed[] = []
      for (const shown of terminal.typed) {
        const { command, code, output } = await run(shown.command)
        const [, expected = 0] =
          Object.entries(scene.codes ?? {}).find(([piece]) => command.includes(piece)) ?? []
        expect(code, `${command}\n${output.join('\n')}`).toBe(expected)
        now.push(isAsShown(shown.output, output, scene) ? shown : { command, output })
      }
      if (now.every((typed, at) => typed === terminal.typed[at])) return
      if (performance.now() < deadline) {
        await sleep(200)
        continue
      }
      changed.set(terminal, now)
      return
    }
  })

  test('says what the commands say', async () => {
    const untyped = terminals.filter((one) => !known.has(one)).map(({ typed }) => typed[0]!.command)
    expect(untyped, 'give each a scene above').toEqual([])
    // When it differs on purpose: npm run test:ci -- docs/operations.ci.test.ts -u
    await expect(withTerminals(PAGE, changed)).toMatchFileSnapshot('operations.md')
  })
})

function isAsShown(shown: readonly string[], said: readonly string[], scene: Scene): boolean {
  const [a, b] = [lasting(shown), lasting(said)]
  if (scene.isExcerpt === true) return a.length > 0 && a.every((line) => b.includes(line))
  if (scene.anyOrder !== true) return a.join('\n') === b.join('\n')
  const sorted = (lines: string[]) => lines.map((line) => line.replace(/\bn\d/g, 'n#')).sort()
  return sorted(a).join('\n') === sorted(b).join('\n')
}
