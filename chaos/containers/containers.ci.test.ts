// The image, the compose file, and the containers of parley/testing, on a real engine.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ChatClient } from '#client'
import { lacking } from '../processes/requirements.ts'
import { buildImage, IMAGE } from './built-image.ts'
import { ComposeProject } from './compose-project.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const docker = async (...words: readonly string[]): Promise<string> =>
  (await promisify(execFile)('docker', words)).stdout.trim()

const inspect = async (what: string, format: string): Promise<unknown> =>
  JSON.parse(await docker('inspect', '--format', `{{json ${format}}}`, what))

describe.skipIf(lacking('docker'))('containers', () => {
  let project: ComposeProject

  const tokenOf = async (user: string, role = 'user'): Promise<string> => {
    const words = ['token', '--key', '/secrets/token-secret', '--user', user, '--role', role]
    return (await project.exec('n1', 'parley', ...words)).trim()
  }

  beforeAll(async () => {
    await buildImage()
    project = await ComposeProject.up()
  })
  afterAll(async () => {
    await project?.down()
  })

  const status = (): Promise<string> => {
    const make = 'parley token --key /secrets/token-secret --user ops --role admin >/tmp/operator'
    const look = 'parley status --token-file /tmp/operator || true'
    return project.exec('n1', 'sh', '-c', `${make}; ${look}`)
  }

  test('three nodes form a cluster, and a command in a container shows all of it', async () => {
    await expect.poll(status, { timeout: 60_000 }).toMatch(/^HEALTHY · can lose 1 node/)
  })

  test('the commands of the pages do what they say', async () => {
    const commands = ['README.md', 'docs/operations.md'].flatMap((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(/^docker compose (.*)$/gm)].map(
        ([, command]) => command!,
      ),
    )
    expect(commands.filter((command) => command === 'up -d')).toHaveLength(2)
    const said: string[] = []
    for (const command of commands.filter((one) => one.startsWith('exec '))) {
      const [, ...words] = command.match(/"[^"]*"|\S+/g)!
      said.push(
        await project.compose('exec', '-T', ...words.map((word) => word.replaceAll('"', ''))),
      )
    }
    expect(said).toEqual([
      '',
      expect.stringMatching(/^sent · /),
      '',
      expect.stringMatching(/^HEALTHY/),
    ])
  })

  test('what a client outside was told is stored survives kills of the leader', async () => {
    const [token, operator] = [await tokenOf('erin'), await tokenOf('ops', 'admin')]
    const leader = async (): Promise<string | null> => {
      for (const url of project.urls) {
        const headers = { authorization: `Bearer ${operator}` }
        const view = await fetch(`${url}/v1/cluster`, { headers }).then(
          (response) => response.json() as Promise<{ node: string; leader: string | null }>,
          () => null,
        )
        if (view !== null && view.leader === view.node) return view.leader
      }
      return null
    }
    const getToken = async () => token
    // Of one node only: the others it must hear of, at addresses that are right out here.
    const chat = await ChatClient.connect({ urls: [project.urls[0]!], getToken, device: 'outside' })
    const room = chat.direct('bob')
    const stored: number[] = []
    let sending = true
    const sender = (async () => {
      for (let n = 0; sending; n++) {
        const { seq } = await room.send(n).sent
        stored.push(seq)
      }
    })()
    try {
      for (let round = 0; round < 2; round++) {
        const before = stored.length
        await expect.poll(() => stored.length).toBeGreaterThan(before + 20)
        let killed = ''
        await expect.poll(async () => (killed = (await leader()) ?? '')).not.toBe('')
        await docker('kill', await project.containerOf(killed))
        const gone = stored.length
        await expect.poll(() => stored.length).toBeGreaterThan(gone + 20)
        await project.compose('start', killed)
        await expect.poll(status, { timeout: 60_000 }).toContain('HEALTHY')
      }
    } finally {
      sending = false
    }
    await sender
    const bodies: unknown[] = []
    for await (const { body } of room.messages({ after: 0 })) {
      bodies.push(body)
      if (bodies.length === stored.length) break
    }
    expect(stored).toEqual(stored.map((_, at) => at + 1))
    expect(bodies).toEqual(stored.map((_, at) => at))
    await chat.drain()
  })

  test('a stopped node drains and ends well; what is up again has its data and its secret', async () => {
    const token = await tokenOf('carol')
    const container = await project.containerOf('n2')
    await project.compose('stop', 'n2')
    expect(await inspect(container, '.State.ExitCode')).toBe(0)
    await project.up()
    await expect.poll(status, { timeout: 60_000 }).toContain('HEALTHY')
    const getToken = async () => token
    const chat = await ChatClient.connect({ urls: [project.urls[1]!], getToken, device: 'again' })
    await chat.direct('dave').send('hi').sent
    await chat.drain()
  })

  test('the process is nobody of importance, on a system that it cannot change', async () => {
    expect(await project.exec('n1', 'id', '-u')).toBe('1000\n')
    await expect(project.exec('n1', 'touch', '/parley/x')).rejects.toThrow(/Read-only/)
    expect(await project.exec('n1', 'stat', '-c', '%a %U', '/secrets/token-secret')).toBe(
      '600 node\n',
    )
    await expect(project.exec('n1', 'touch', '/secrets/x')).rejects.toThrow(/Read-only/)
    const installed = (await project.exec('n1', 'ls', '/parley/node_modules')).split('\n')
    expect(installed).toContain('ws')
    for (const name of ['vitest', 'typescript', 'testcontainers', 'node', 'esbuild']) {
      expect(installed).not.toContain(name)
    }
    const sources = await project.exec(
      'n1',
      'find',
      '/parley',
      '-name',
      '*.ts',
      '-not',
      '-name',
      '*.d.ts',
      '-not',
      '-path',
      '*/node_modules/*',
    )
    expect(sources).toBe('')
    // What it adds to its base: 15 MB, and room for a dependency or two.
    const [size, base] = await Promise.all(
      [IMAGE, 'node:24-bookworm-slim'].map((name) => inspect(name, '.Size')),
    )
    expect((size as number) - (base as number)).toBeLessThan(25_000_000)
  })

  test('a container is healthy by its own check, and says why where it is not', async () => {
    const container = await project.containerOf('n3')
    await expect
      .poll(() => inspect(container, '.State.Health.Status'), { timeout: 60_000 })
      .toBe('healthy')
    const words = ['run', '--rm', '--entrypoint', 'node', IMAGE, '/parley/cli/container-health.mjs']
    await expect(docker(...words)).rejects.toMatchObject({ code: 1 })
  })

  test('Prometheus reaches what it scrapes; every file that is mounted is there', async () => {
    const file = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
      services: Record<string, { volumes?: string[]; environment?: Record<string, string> }>
    }
    const mounts = Object.values(file.services).flatMap(({ volumes = [] }) => volumes)
    const sources = mounts
      .map((mount) => mount.split(':')[0]!)
      .filter((path) => path.startsWith('.'))
    expect(sources.length).toBeGreaterThan(2)
    expect(sources.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
    const scraped = readFileSync(join(ROOT, 'dashboards/prometheus/prometheus.yml'), 'utf8')
    const targets = [...scraped.matchAll(/'(n\d:\d+)'/g)].map(([, target]) => target)
    expect(targets).toEqual(['n1:7400', 'n2:7400', 'n3:7400'])
    const program = `for (const target of ${JSON.stringify(targets)}) {
      const text = await (await fetch('http://' + target + '/metrics')).text()
      console.log(/^parley_ready /m.test(text))
    }`
    const said = await project.exec('n2', 'node', '--input-type=module', '-e', program)
    expect(said).toBe('true\n'.repeat(3))
    // Nothing that is a secret, or a default of one, stands in the file or in the image.
    const { environment } = file.services['grafana']!
    expect(Object.keys(environment!).filter((name) => /PASSWORD|SECRET_KEY/.test(name))).toEqual([])
    expect(JSON.stringify(await inspect(IMAGE, '.Config.Env'))).not.toMatch(/SECRET|PASSWORD/)
  })

  describe('of parley/testing', () => {
    // The reaper's image cannot be pulled here; what a test starts it removes itself.
    beforeAll(() => {
      process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true'
    })

    test('one node alone', async () => {
      const { ParleyContainer } = await import('../../cli/testing/containers/index.ts')
      await using node = await new ParleyContainer(IMAGE).start()
      const getToken = () => node.tokenFor('alice')
      const chat = await ChatClient.connect({ urls: [node.getUrl()], getToken, device: 'd' })
      expect((await chat.direct('bob').send('hi').sent).seq).toBe(1)
      await chat.drain()
    })

    test('a cluster whose nodes are killed, paused, stopped and restarted', async () => {
      const { ParleyCluster } = await import('../../cli/testing/containers/index.ts')
      await using cluster = await new ParleyCluster({ image: IMAGE }).start()
      const getToken = () => cluster.tokenFor('alice')
      const chat = await ChatClient.connect({ urls: cluster.urls, getToken, device: 'd' })
      const room = chat.direct('bob')
      const sent = async () => (await room.send('hi').sent).seq
      expect(await sent()).toBe(1)
      const first = await cluster.leader()
      await cluster.killNode(first)
      await expect(cluster.killNode(first)).rejects.toThrow(
        `${first} is down, not running or paused`,
      )
      expect(await sent()).toBe(2)
      await cluster.startNode(first)
      await cluster.ready()
      const second = await cluster.leader()
      await cluster.pauseNode(second)
      expect(await sent()).toBe(3)
      await cluster.resumeNode(second)
      await cluster.ready()
      await cluster.restartLeader()
      expect(await sent()).toBe(4)
      await chat.drain()
    })
  })
})
