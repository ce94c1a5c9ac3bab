// What is published, in a project that is not this repository.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatMembers } from '../../cli/cluster/initial-members.ts'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { StartedProgram } from './started-program.ts'
import { tokenOf, TOKEN_SECRET } from './token-of.ts'

const run = promisify(execFile)
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

let folder: string
let project: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-packages-'))
  const { stdout } = await run(process.execPath, [at('.ci/build.mjs'), join(folder, 'built')])
  project = join(folder, 'project')
  await mkdir(project)
  await writeFile(join(project, 'package.json'), '{"private": true, "type": "module"}')
  const tarballs = stdout.trim().split('\n')
  // Nothing is compiled and nothing runs when they are installed.
  await run('npm', ['install', '--ignore-scripts', ...tarballs], { cwd: project })
  // What a project brings itself, from here: it is large.
  for (const name of ['vitest', 'testcontainers', '@types/node']) {
    await mkdir(join(project, 'node_modules', name, '..'), { recursive: true })
    await symlink(at(`node_modules/${name}`), join(project, 'node_modules', name))
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The code block of the package's page that begins with this comment, or has this in it. */
async function example(holds: string): Promise<string> {
  const page = await readFile(join(project, 'node_modules/parley/README.md'), 'utf8')
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!)
  const found = blocks.find((code) => code.includes(holds))
  if (found === undefined) throw new Error(`no block with ${holds}`)
  return found
}

test('each export and each declaration is there; nothing but what runs is in them', async () => {
  for (const name of ['parley', '@parley/client']) {
    const home = join(project, 'node_modules', name)
    const said = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
      exports: Record<string, { types: string; default: string }>
      dependencies: Record<string, string>
    }
    const paths = Object.values(said.exports).flatMap((one) => [one.types, one.default])
    expect(paths.filter((path) => !existsSync(join(home, path)))).toEqual([])
    expect(Object.values(said.dependencies).filter((version) => !/^\d/.test(version))).toEqual([])
    expect(Object.keys(said)).not.toContain('scripts')
    expect(Object.keys(said)).not.toContain('devDependencies')
    const files = await readdir(home, { recursive: true })
    expect(files).toContain('LICENSE')
    expect(files).toContain('README.md')
    const own = files.filter((path) => !path.startsWith('node_modules'))
    expect(own.filter((path) => /(?<!\.d)\.ts$|\.test\.|\.map$/.test(path))).toEqual([])
  }
})

test('three nodes by npx, a message through the SDK, a verdict', async () => {
  const ports = await freePorts(6)
  const members = [1, 2, 3].map((n) => ({
    name: `n${n}`,
    clientUrl: `http://127.0.0.1:${ports[n - 1]}`,
    peerAddress: `127.0.0.1:${ports[n + 2]}`,
  }))
  await writeFile(join(project, 'secret'), TOKEN_SECRET, { mode: 0o600 })
  const nodes = members.map(({ name, clientUrl, peerAddress }) => {
    const words = [
      ...['parley', 'node', '--name', name, '--listen', new URL(clientUrl).host],
      ...['--peer-listen', peerAddress, '--data', join(project, name)],
      ...['--initial-members', formatMembers(members), '--token-secret-file', 'secret'],
    ]
    return new StartedProgram('npx', words, { cwd: project })
  })
  try {
    const urls = members.map(({ clientUrl }) => clientUrl)
    await writeFile(join(project, 'admin'), tokenOf({ sub: 'ops', role: 'admin' }))
    const status = async () => {
      const words = ['status', '--token-file', 'admin', '--url', urls.join(',')]
      return run('npx', ['parley', ...words], { cwd: project }).then(
        ({ stdout }) => stdout,
        (error: { stdout: string; stderr: string }) =>
          [error.stdout, error.stderr, ...nodes.map((node) => node.output)].join('\n'),
      )
    }
    await expect.poll(status, { timeout: 120_000, interval: 500 }).toContain('HEALTHY')
    const program = `
      import { ChatClient } from '@parley/client'
      import { LevelStore } from '@parley/client/store'
      const [urls, token] = JSON.parse(process.argv[2])
      const options = { urls, getToken: async () => token, device: 'd', store: new LevelStore('./sdk') }
      const chat = await ChatClient.connect(options)
      console.log((await chat.direct('bob').send('hi').sent).seq)
      await chat.drain()`
    await writeFile(join(project, 'chat.mjs'), program)
    const plan = JSON.stringify([urls, tokenOf({ sub: 'alice' })])
    const { stdout } = await run(process.execPath, ['chat.mjs', plan], { cwd: project })
    expect(stdout).toBe('1\n')
  } finally {
    await Promise.all(nodes.map((node) => node.end()))
  }
})

test('a bench of the package has nodes of its own, and knows what is in a clone only', async () => {
  const parley = (...words: string[]) => run('npx', ['parley', ...words], { cwd: project })
  const short = ['--rate', '50', '--duration', '500ms', '--warmup', '0ms']
  const { stdout } = await parley('bench', 'send', '--nodes', '1', ...short)
  expect(stdout).toMatch(/^VERIFIED · send · \d+ acknowledged/)
  expect(stdout).toMatch(/^machine .*, Parley \d+\.\d+\.\d+$/m)
  await expect(parley('bench', 'peers')).rejects.toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('in a clone') },
  })
})

const CONSUMER = `
  import { ChatClient, ChatError, type ChatMessage } from '@parley/client'
  import { LevelStore } from '@parley/client/store'
  import { encodeBody } from '@parley/client/protocol'

  export async function talk(urls: readonly string[]): Promise<string | undefined> {
    const store = new LevelStore('./packed')
    const chat = await ChatClient.connect({ urls, user: 'ann', device: 'packed', store })
    await chat.direct('bob').send({ bytes: encodeBody(1) }).sent
    const page = await chat.direct('bob').history()
    const [message] = page.events as readonly ChatMessage[]
    return ChatError.is(message) ? undefined : message?.from
  }
`

test('declarations are whole and strict, under Node’s rules and those of bundlers', async () => {
  await writeFile(join(project, 'consumer.ts'), CONSUMER)
  await writeFile(join(project, 'breaking.ts'), await example('cluster.killNode'))
  await writeFile(join(project, 'global-setup.ts'), await example('// global-setup.ts'))
  const compile = (name: string, options: object, files: string[]) => {
    const strict = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: ['node'] }
    const compilerOptions = { ...strict, target: 'es2024', lib: ['esnext', 'dom'], ...options }
    return writeFile(join(project, name), JSON.stringify({ compilerOptions, files })).then(() =>
      run(at('node_modules/.bin/tsc'), ['-p', name], { cwd: project }).catch(
        (error: { stdout: string }) => Promise.reject(new Error(error.stdout)),
      ),
    )
  }
  for (const [name, module, moduleResolution] of [
    ['nodenext.json', 'nodenext', 'nodenext'],
    ['bundler.json', 'esnext', 'bundler'],
  ] as const) {
    // Ours are looked at too; those of the packages around are not ours to mend.
    const ours = { module, moduleResolution, skipLibCheck: false }
    await compile(name, ours, ['consumer.ts', 'breaking.ts'])
    await writeFile(join(project, 'containers.ts'), await example('new ParleyCluster'))
    const theirs = { module, moduleResolution, skipLibCheck: true }
    await compile(name, theirs, ['containers.ts', 'global-setup.ts'])
  }
})

test('the SDK is bundled for a browser without Node.js, and without its database', async () => {
  const { outputFiles, warnings } = await build({
    stdin: { contents: CONSUMER, loader: 'ts', resolveDir: project },
    ...{ bundle: true, minify: true, platform: 'browser', format: 'esm', write: false },
  })
  expect(warnings).toEqual([])
  expect(outputFiles[0]!.text).not.toContain('classic-level')
})

test('the examples of parley/testing do what the page says', async () => {
  await writeFile(join(project, 'breaking.ts'), await example('cluster.killNode'))
  const { stdout } = await run(process.execPath, ['breaking.ts'], { cwd: project })
  expect(stdout).toBe('1 2\n')
  for (const name of ['global-setup.ts', 'chat.test.ts', 'vitest.config.ts']) {
    await writeFile(join(project, name), await example(`// ${name}`))
  }
  const { stdout: told } = await run('node_modules/vitest/vitest.mjs', ['run'], { cwd: project })
  expect(told).toMatch(/1 passed/)
})
