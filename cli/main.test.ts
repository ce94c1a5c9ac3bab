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

test.each([
  [[], 'Commands:'],
  [['nod'], 'Did you mean node?'],
  [['status', '--jsn'], 'Did you mean --json?'],
  [['status', '--timeout', '5'], 'Write it like 250ms'],
  [['status', '--url', 'ftp://x'], 'is not the URL of a node'],
  [['dev', '--nodes', '0'], 'an integer from 1 to 9'],
  [['dev', 'kil'], 'did you mean kill?'],
  [['node'], '--name is missing'],
  [['node', '--log-level', 'loud'], 'Allowed choices'],
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
  expect(stdout).toBe('UNAVAILABLE · no node answers at http://127.0.0.1:9\n')
  stdout = ''
  expect(await main(['status', '--json'])).toBe(3)
  expect(JSON.parse(stdout)).toMatchObject({ schema: 1, verdict: 'unavailable', nodes: [] })
})

test('without a dev cluster there is nothing to kill', async () => {
  expect(await main(['dev', 'kill', '--data', '/nowhere'])).toBe(1)
  expect(stderr).toContain('no dev cluster runs in /nowhere')
})
