import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freeDevPort } from '../dev/testing/free-dev-port.ts'
import { hostsPath } from './runtime.mjs'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

let clone: string

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'parley-clone-'))
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  for (const file of files.trim().split('\n')) {
    if (existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(clone, file))
  }
})

afterAll(() => rmSync(clone, { recursive: true, force: true }))

/** The machine as a stranger finds it: its own Node and npm, nothing of this test run. */
function strangersEnvironment(
  more: Record<string, string> = {},
): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|VITEST|NODE_ENV|NODE_OPTIONS|PARLEY_|TEST)/.test(name),
  )
  return { ...Object.fromEntries(kept), PATH: hostsPath(ROOT), ...more }
}

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(
  command: string,
  args: readonly string[],
  more: Record<string, string> = {},
): Promise<Outcome> {
  const child = spawn(command, args, {
    cwd: clone,
    env: strangersEnvironment(more),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return outcome(child)
}

function outcome(child: ChildProcess): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (data) => (stdout += String(data)))
  child.stderr?.on('data', (data) => (stderr += String(data)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

test('offline, a fresh clone says so in one line and fails', async () => {
  const { code, stderr } = await run('node', ['cli/parley.mjs', 'status'], {
    npm_config_registry: 'http://127.0.0.1:1',
    npm_config_cache: join(clone, '.cache', 'empty'),
  })
  expect(code).toBe(1)
  expect(stderr.split('\n')).toEqual([
    'parley: installing dependencies …',
    expect.stringMatching(
      /^parley: cannot install dependencies: the npm registry cannot be reached/,
    ),
    '',
  ])
})

test('two first commands at once install once, and both run', async () => {
  const outcomes = await Promise.all([
    run('npx', ['parley', '--version']),
    run('node', ['cli/parley.mjs', '--version']),
  ])
  const { version } = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')) as {
    version: string
  }
  for (const { code, stdout } of outcomes) {
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` })
  }
  const said = outcomes.map(({ stderr }) => stderr).join('')
  expect(said.match(/dependencies installed/g)).toHaveLength(1)
})

test('npm test runs the tests on a Node that is recent enough', async () => {
  const { code, stdout } = await run('npm', ['test', '--', 'cli/launcher/runtime.test.ts'], {
    CI: '1',
  })
  expect(stdout).toMatch(/Tests .*3 passed/)
  expect(code).toBe(0)
})

test('exit codes and arguments pass through npm run and npx', async () => {
  expect((await run('npm', ['run', 'parley', '--', 'status', '--url', 'ftp://x'])).code).toBe(64)
  const { code, stdout } = await run('npx', ['parley', 'status', '--url', 'http://127.0.0.1:9'])
  expect(code).toBe(3)
  expect(stdout).toContain('UNAVAILABLE')
})

test('npm start runs three nodes until it is told to end', async () => {
  const port = await freeDevPort()
  const child = spawn('npm', ['start', '--silent', '--', '--json', `--port=${port}`], {
    cwd: clone,
    env: strangersEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const end = outcome(child)
  const first = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (data) => resolve(String(data)))
    void end.then(({ stderr }) => reject(new Error(stderr)))
  })
  const ready = JSON.parse(first) as {
    event: string
    leader: string
    nodes: { id: string; url: string }[]
  }
  expect(ready).toMatchObject({ event: 'ready', nodes: [{ id: 'n1' }, { id: 'n2' }, { id: 'n3' }] })
  const status = await run('npx', ['parley', 'status', '--json'])
  expect(JSON.parse(status.stdout)).toMatchObject({ verdict: 'healthy', leader: ready.leader })
  child.kill('SIGTERM')
  const { stdout } = await end
  expect(stdout.trim().split('\n').at(-1)).toBe('{"event":"stopped"}')
  expect((await run('npx', ['parley', 'status'])).code).toBe(1)
})
