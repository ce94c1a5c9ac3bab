import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { main } from './main.ts'

let stdout: string
let stderr: string

beforeEach(() => {
  stdout = ''
  stderr = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text)
    return true
  })
  vi.stubEnv('PARLEY_URL', 'http://127.0.0.1:9')
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

test('help and version are data', async () => {
  expect(await main(['--version'])).toBe(0)
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(await main(['--help'])).toBe(0)
  expect(stdout).toContain('Commands:')
  expect(stdout).toContain('64 usage')
  expect(stderr).toBe('')
})

test('the README names every command', async () => {
  const readme = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../README.md'), 'utf8')
  const table = readme.slice(readme.indexOf('## Operate it'), readme.indexOf('## Read on'))
  await main(['--help'])
  const names = [...stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name!)
  expect(names).toContain('status')
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(table))).toEqual([])
})

test.each([
  [[], 'Commands:'],
  [['nod'], 'Did you mean node?'],
  [['status', '--jsn'], 'Did you mean --json?'],
  [['status', '--timeout', '5'], 'Write it like 250ms'],
  [['--ca-file', 'ca.crt', 'status', '--timeout', '5'], 'Write it like 250ms'],
  [['status', '--url', 'ftp://x'], 'is not the URL of a node'],
  [['dev', '--nodes', '0'], 'an integer from 1 to 9'],
  [['dev', 'kil'], 'did you mean kill?'],
  [['dev', 'kill', 'n1', 'n2'], 'Expected 1 argument but got 2'],
  [['send', '--as', 'a', 'x'], 'parley: name a person with --to'],
  [['send', '--as', 'a', '--to', 'b'], 'parley: missing required argument'],
  [['send', '--as', 'a', '--to', '', 'x'], 'A user is 1 to 128'],
  [['send', '--as', 'a b', '--to', 'b', 'x'], 'A user is 1 to 128'],
  [['send', '--as', 'a', '--conv', 'ö', 'x'], 'an id as "parley tail" prints it'],
  [['send', '--as', 'a', '--to', 'b', '--id', 'no spaces', 'x'], 'An id is 1 to 64'],
  [['send', '--as', 'a', '--to', 'b', '--reply-to', '0', 'x'], 'number of a message, from 1 on'],
  [['tail', '--as', 'b', '-n', '1001'], 'an integer from 0 to 1000'],
  [['sim', '--seed', 'x'], 'an integer from 0 on'],
  [['sim', '--runs', '0'], 'an integer from 1 on'],
  [['sim', '--trace', '--runs', '2'], '--trace shows one seed'],
  [['node'], '--name is missing'],
  [['node', '--log-level', 'loud'], 'one of debug, info, warn'],
  [['node', '--listne=1'], 'did you mean --listen?'],
  [['send', '--to', 'b', 'x'], 'say who you are: --as <user>'],
  [['send', '--token-file', '/nowhere', '--to', 'b', 'x'], 'cannot read the token file'],
  [['tail', '--token-file', import.meta.filename], 'holds no token'],
  [['settings', 'windowMs'], 'is no change: write name=value'],
  [['settings', 'windowMs=1h'], 'is no change: write name=value'],
  [['token'], '--user is missing'],
  [['token', '--user', 'a'], '--key is missing'],
  [['token', '--user', 'a', '--key', '/nowhere'], 'cannot read the key'],
  [['token', '--user', 'a', '--key', import.meta.filename, '--role', 'root'], 'Allowed choices'],
  [['token', '--user', 'a', '--device', 'a b'], 'A device is 1 to 40'],
  [['token', 'revoke'], '--of is missing'],
  [['user', 'erase'], 'missing required argument'],
  [['user', 'erase', 'a b'], 'A user is 1 to 128'],
  [['conversation', 'export', 'ö'], 'an id as "parley tail" prints it'],
  [['conversation', 'export', 'c', '--after', '-1'], 'number of an event, from 0 on'],
  [['conversation', 'export', 'c', '--resume'], 'name it with --output'],
  [['conversation', 'export', 'c', '--output', 'x', '--after', '1'], 'a file knows by --resume'],
  [['conversation', 'show'], 'missing required argument'],
  [['conversation', 'show', 'ö'], 'an id as "parley tail" prints it'],
  [['conversation', 'show', 'c', '--limit', '0'], 'a number from 1 to 100000'],
  [['conversation', 'messages', 'c', '--after', 'x'], 'number of an event, from 0 on'],
  [['conversation', 'messages', 'c', '--limit', '1e3'], 'a number from 1 to 100000'],
  [['conversation', 'messages', 'c', '--bodys'], 'Did you mean --bodies?'],
  [['lag', '--top', '101'], 'a number from 1 to 100'],
  [['lag', '--by', 'node'], 'Allowed choices'],
  [['lag', '--by', 'conversation', '--seen', '1h'], '--seen is of devices and users'],
  [['retention'], 'add --dry-run'],
  [['retention', '--dry-run', '--max-count', '5'], 'name the conversation'],
  [['retention', '--dry-run', 'c', '--max-count', '0'], 'an integer from 1 on'],
  [['retention', '--dry-run', 'c', '--max-age', '30'], 'Write it like 250ms'],
  [['retention', '--dry-run', 'c', '--preset', 'all'], 'Allowed choices'],
])('a mistake in %j is told on stderr, with exit code 64', async (argv, message) => {
  expect(await main(argv)).toBe(64)
  expect(stderr).toContain(message)
  expect(stdout).toBe('')
})

test('node must be one of its members', async () => {
  const argv = ['node', '--name', 'n3', '--listen', 'a:1', '--peer-listen', 'a:2', '--data', 'x']
  expect(await main([...argv, '--initial-members', 'n1=a:1/a:2'])).toBe(64)
  expect(stderr).toContain('must name this node, n3')
})

test('status of a cluster that is not there is unhealthy, for people and for programs', async () => {
  expect(await main(['status'])).toBe(3)
  expect(stdout).toMatch(/^UNAVAILABLE · no node answers at http:\/\/127\.0\.0\.1:9\n\nnext: look/)
  stdout = ''
  expect(await main(['status', '--json'])).toBe(3)
  expect(JSON.parse(stdout)).toMatchObject({ schema: 1, verdict: 'unavailable', nodes: [] })
})

test('a data directory that cannot be one is told in a sentence', async () => {
  const file = fileURLToPath(import.meta.url)
  expect(await main(['dev', '--data', file])).toBe(1)
  expect(stderr).toMatch(/^parley: cannot keep data in .*main\.test\.ts: EEXIST.*--data\n$/)
})

test('a program that asks for JSON gets the error as JSON', async () => {
  const argv = ['--as', 'a', '--timeout', '50ms', '--json']
  expect(await main(['send', ...argv, '--to', 'b', '--id', 'm-1', 'x'])).toBe(1)
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'TIMEOUT',
      message: expect.stringContaining('no session'),
      retryable: true,
      outcome: 'notApplied',
      msgId: 'm-1',
    },
  })
  stdout = ''
  expect(await main(['tail', ...argv])).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'TIMEOUT' } })
})

test('without a dev cluster there is nothing to kill', async () => {
  expect(await main(['dev', 'kill', '--data', '/nowhere'])).toBe(1)
  expect(stderr).toContain('no dev cluster runs in /nowhere')
})

test('whoever reads only the beginning of what is printed ends the command quietly', async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url)), '-V'])
  child.stdout.destroy()
  const [problems, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect({ code: code as number, problems }).toEqual({ code: 0, problems: '' })
})
