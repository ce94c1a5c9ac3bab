import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'
import { TOKEN_SECRET, tokenOf } from './token-of.ts'

const OTHER_SECRET = 'another one of at least thirty-two bytes'
const PATIENCE = { timeout: 30_000, interval: 50 }

let cluster: ProcessCluster
let config: string
let secret: string

beforeAll(async () => {
  cluster = await ProcessCluster.create(1)
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
    expect.stringMatching(/cannot read the key file \/nowhere\/secret/),
  ])
  expect(await statusWith(OTHER_SECRET, page)).toBe(200)
  const metrics = await (await fetch(`${cluster.node('n1').url}/metrics`)).text()
  expect(metrics).toContain('\nparley_config_refused 1\n')
  expect(metrics).toContain('\nparley_config_reloads_total{result="refused"} 2\n')

  await writeFile(config, better)
  hangUp()
  expect((await told(4))[3]).toMatchObject({ changed: [], needRestart: ['checkpointBytes'] })
})
