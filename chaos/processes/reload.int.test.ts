import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { DocumentedHttp } from './documented-http.ts'
import { ProcessCluster } from './process-cluster.ts'
import { TOKEN_SECRET, tokenOf } from './token-of.ts'

const OTHER_SECRET = 'another one of at least thirty-two bytes'
const PUSH_SECRET = 'a third one, with which calls are signed'
const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const PATIENCE = { timeout: 30_000, interval: 50 }

let cluster: ProcessCluster
let config: string
let secret: string

beforeAll(async () => {
  cluster = await ProcessCluster.create(2)
  config = join(cluster.directory, 'node.yaml')
  secret = join(cluster.directory, 'secret')
  await writeFile(secret, TOKEN_SECRET, { mode: 0o600 })
  await writeFile(config, `tokenSecretFile: ${secret}\nuserRate: 1\n`)
  await cluster.startAll({ dev: false, flags: ['--config', config] })
  cluster.headers = () => bearer(TOKEN_SECRET)
  await cluster.healthy()
})
afterAll(() => cluster.close())

const bearer = (key: string) => ({
  authorization: `Bearer ${tokenOf({ sub: 'op', role: 'admin' }, { secret: key })}`,
})
const statusWith = async (key: string, headers: Record<string, string> = {}): Promise<number> => {
  const url = `${cluster.node('n1').url}/v1/cluster`
  return (await fetch(url, { headers: { ...bearer(key), ...headers } })).status
}
const hangUp = () => cluster.node('n1').process!.kill('SIGHUP')

interface Line {
  readonly event: string
  readonly changed?: readonly string[]
  readonly needRestart?: readonly string[]
  readonly faults?: readonly string[]
}

/** The lines about reloads so far, once there are so many. */
const told = (count: number): Promise<Line[]> =>
  vi.waitFor(async () => {
    const text = await readFile(join(cluster.directory, 'n1.log'), 'utf8')
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Line)
      .filter(({ event }) => event.startsWith('config.'))
    expect(lines).toHaveLength(count)
    return lines
  }, PATIENCE)

test('what may change while a node runs changes with SIGHUP, and a bad file changes nothing', async () => {
  const page = { origin: 'https://chat.example.org' }
  expect(await statusWith(TOKEN_SECRET)).toBe(200)
  expect(await statusWith(OTHER_SECRET)).toBe(401)
  expect(await statusWith(TOKEN_SECRET, page)).toBe(403)

  await writeFile(secret, OTHER_SECRET)
  const better = `tokenSecretFile: ${secret}\nallowedOrigins: ${page.origin}\ncheckpointBytes: 1MiB\n`
  await writeFile(config, better)
  hangUp()
  expect((await told(1))[0]).toMatchObject({
    event: 'config.reloaded',
    changed: ['allowedOrigins', 'userRate'],
    needRestart: ['checkpointBytes'],
  })
  expect(await statusWith(OTHER_SECRET, page)).toBe(200)
  expect(await statusWith(TOKEN_SECRET)).toBe(401)

  await writeFile(config, `${better}logLevel: loud\nuserRaet: 5\nallowedHosts: a.example.org\n`)
  hangUp()
  expect((await told(2))[1]).toMatchObject({
    event: 'config.refused',
    faults: [
      `${config}: there is no option userRaet; did you mean userRate?`,
      `${config}: logLevel must be one of debug, info, warn, error, silent, not "loud"`,
    ],
  })
  await writeFile(config, better.replace(secret, '/nowhere/secret'))
  hangUp()
  expect((await told(3))[2]?.faults).toEqual([
    expect.stringMatching(/names \/nowhere\/secret, which cannot be read/),
  ])
  expect(await statusWith(OTHER_SECRET, page)).toBe(200)
  const metrics = await (await fetch(`${cluster.node('n1').url}/metrics`)).text()
  expect(metrics).toContain('\nparley_config_refused 1\n')
  expect(metrics).toContain('\nparley_config_reloads_total{result="refused"} 2\n')

  await writeFile(config, better)
  hangUp()
  expect((await told(4))[3]).toMatchObject({ changed: [], needRestart: ['checkpointBytes'] })
})

test('[AD25] any node has another one reload, and tells what is wrong there', async () => {
  const api = await DocumentedHttp.of(cluster)
  const route = '/v1/cluster/nodes/{id}/reload'
  const ask = (id: string, headers: Record<string, string> = bearer(OTHER_SECRET)) =>
    api.call('POST', route, { id, headers, node: 1 })
  const good = `tokenSecretFile: ${secret}\nuserRate: 7\ncheckpointBytes: 1MiB\n`
  await writeFile(config, good)
  // Both nodes read the file: the second one was not told of the new secret yet.
  await expect.poll(async () => (await ask('n2', bearer(TOKEN_SECRET))).status, PATIENCE).toBe(200)
  expect(await ask('n1')).toMatchObject({
    status: 200,
    json: { changed: ['allowedOrigins', 'userRate'], needRestart: ['checkpointBytes'] },
  })
  await writeFile(config, `${good}userRaet: 8\n`)
  const refused = await ask('n1')
  expect(refused).toMatchObject({ status: 409, json: { code: 'UNSAFE', outcome: 'notApplied' } })
  expect(refused.json['detail']).toMatch(
    /nothing was changed; .*there is no option userRaet; did you/,
  )
  await writeFile(config, good)
  expect(await ask('n9')).toMatchObject({ status: 404, json: { code: 'UNKNOWN_MEMBER' } })
  expect(await ask('n1', { authorization: 'Bearer nonsense' })).toMatchObject({ status: 401 })
  const user = tokenOf({ sub: 'eve' }, { secret: OTHER_SECRET })
  expect(await ask('n1', { authorization: `Bearer ${user}` })).toMatchObject({ status: 403 })

  const token = join(cluster.directory, 'token')
  await writeFile(token, tokenOf({ sub: 'op', role: 'admin' }, { secret: OTHER_SECRET }))
  const words = ['reload', 'n1', '--url', cluster.node('n2').url, '--token-file', token]
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...words])
  expect(stdout).toBe('n1 reloaded · changed: nothing · needs a restart: checkpointBytes\n')
})

test('no secret is in a line of the log, in the metrics or in the printed configuration', async () => {
  const { url } = cluster.node('n1')
  const push = join(cluster.directory, 'push-secret')
  await writeFile(push, PUSH_SECRET, { mode: 0o600 })
  const hook = 'http://127.0.0.1:9/hook?key=the-key-of-a-hook'
  const everything = `tokenSecretFile: ${secret}\nmoderationUrl: ${hook}\nlogLevel: debug
pushWebhookUrl: ${hook}\npushWebhookSecretFile: ${push}\n`
  await writeFile(config, everything)
  await cluster.signal('n1', 'SIGTERM')
  await cluster.start('n1', { dev: false, flags: ['--config', config] })
  cluster.headers = () => bearer(OTHER_SECRET)
  await cluster.healthy()
  // A session, a write that the hook is asked about in vain, a push, and what is wrong with a token.
  const token = tokenOf({ sub: 'ann' }, { secret: OTHER_SECRET })
  const client = await WireClient.connect(url, 'ann', 'phone', { token })
  await client.request({ t: 'msg:R', to: 'bob', msgId: 'm1', body: 'between us' })
  await client.leave()
  await fetch(`${url}/v1/cluster`, { headers: { authorization: 'Bearer my-own-token' } })
  cluster.node('n1').process!.kill('SIGHUP')
  await writeFile(config, `${everything}moderationTimeout: soon\n`)
  cluster.node('n1').process!.kill('SIGHUP')
  const log = await vi.waitFor(async () => {
    const text = await readFile(join(cluster.directory, 'n1.log'), 'utf8')
    expect(text).toMatch(/"event":"session.opened"/)
    expect(text).toMatch(/"event":"moderation.unavailable"/)
    expect(text).toMatch(/moderationTimeout must be a duration/)
    return text
  }, PATIENCE)
  await writeFile(config, everything)
  const flags = [
    'node',
    '--config',
    config,
    '--name',
    'n1',
    '--listen',
    'a:1',
    '--peer-listen',
    'a:2',
  ]
  const more = ['--data', 'd', '--initial-members', 'n1=a:1/a:2', '--print-config', '--origin']
  const printed = await promisify(execFile)(process.execPath, [CLI, ...flags, ...more])
  expect(printed.stdout).toContain('moderationUrl')
  const seen = [log, await (await fetch(`${url}/metrics`)).text(), ...Object.values(printed)]
  for (const word of [TOKEN_SECRET, OTHER_SECRET, PUSH_SECRET, 'the-key-of-a-hook']) {
    for (const text of seen) expect(text).not.toContain(word)
  }
  for (const word of [token, 'my-own-token', 'between us']) {
    for (const text of seen) expect(text).not.toContain(word)
  }
})
