import { execFile } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from 'amqplib'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { absent, countUntil, find, Program } from './program.ts'
import { QUEUE } from './publishers/rabbitmq-publisher.ts'
import type { SystemKind } from './system.ts'

/** Debian's commands on `PATH` change to a user of their own; these are what they wrap. */
const PROGRAMS = '/usr/lib/rabbitmq/bin'

export const rabbitmq: SystemKind = {
  name: 'rabbitmq',
  missing: () =>
    absent('rabbitmq-server', 'rabbitmq-server', PROGRAMS) ?? absent('epmd', 'erlang-base'),
  async start(directory) {
    const [epmdPort, ...ports] = (await freePorts(7)) as [number, ...number[]]
    const brokers = [0, 1, 2].map((at) => ({
      name: `rabbit${at + 1}`,
      node: `rabbit${at + 1}@localhost`,
      port: ports[at * 2]!,
      distributionPort: ports[at * 2 + 1]!,
    }))
    await configure(
      directory,
      brokers.map(({ node }) => node),
    )
    const common = environment(directory, epmdPort)
    // A name server of our own, so that the machine's is neither used nor left behind.
    const epmd = new Program([find('epmd')!, '-address', '127.0.0.1', '-port', String(epmdPort)], {
      directory,
      name: 'epmd',
    })
    const programs: Program[] = []
    const stop = async () => {
      await Promise.all(programs.map((each) => each.stop()))
      await epmd.stop()
    }
    try {
      // The first one founds the cluster, the others join it.
      for (const wave of [brokers.slice(0, 1), brokers.slice(1)]) {
        const started = wave.map(({ name, node, port, distributionPort }) => {
          const env = {
            ...common,
            RABBITMQ_NODENAME: node,
            RABBITMQ_NODE_PORT: String(port),
            RABBITMQ_DIST_PORT: String(distributionPort),
            RABBITMQ_PID_FILE: join(directory, `${name}.pid`),
          }
          return new Program([find('rabbitmq-server', PROGRAMS)!], { directory, name, env })
        })
        programs.push(...started)
        await Promise.all(
          started.map((program, at) => program.until(() => answers(wave[at]!.port))),
        )
      }
      const url = `amqp://127.0.0.1:${brokers[0]!.port}`
      const version = await declareQueue(url)
      await programs[0]!.until(() => threeReplicas(brokers[0]!.node, common))
      return {
        version,
        fsync: 'on a majority before each confirm (its default for quorum queues)',
        shape: 'publish with confirms to one quorum queue of 3 replicas',
        pids: programs.map(({ pid }) => pid),
        url,
        held: (acknowledged) => countUntil(acknowledged, () => queueLength(url)),
        stop,
      }
    } catch (error) {
      await stop()
      throw error
    }
  },
}

async function configure(directory: string, nodes: readonly string[]): Promise<void> {
  const discovery = nodes.map(
    (node, at) => `cluster_formation.classic_config.nodes.${at + 1} = ${node}`,
  )
  const lines = ['cluster_formation.peer_discovery_backend = classic_config', ...discovery]
  await writeFile(join(directory, 'rabbitmq.conf'), `${lines.join('\n')}\n`)
  await writeFile(join(directory, 'plugins'), '[].\n')
  const cookie = join(directory, '.erlang.cookie')
  await writeFile(cookie, 'PEERS')
  await chmod(cookie, 0o400)
  await mkdir(join(directory, 'data'))
}

/** Everything in one folder, nothing of the machine's own installation but its programs. */
function environment(directory: string, epmdPort: number): NodeJS.ProcessEnv {
  return {
    HOME: directory,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
    RABBITMQ_MNESIA_BASE: join(directory, 'data'),
    RABBITMQ_LOG_BASE: join(directory, 'logs'),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    // The script then becomes the server, so that its process id is the server's.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
}

async function answers(port: number): Promise<true> {
  const connection = await connect(`amqp://127.0.0.1:${port}`)
  await connection.close()
  return true
}

/** Its leader is the node that is asked. Gives the broker's version. */
async function declareQueue(url: string): Promise<string> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  await channel.assertQueue(QUEUE, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-quorum-initial-group-size': 3 },
  })
  const { version } = connection.connection.serverProperties
  await connection.close()
  return version
}

async function threeReplicas(node: string, env: NodeJS.ProcessEnv): Promise<true | null> {
  const { stdout } = await promisify(execFile)(
    find('rabbitmqctl', PROGRAMS)!,
    ['-q', '-n', node, 'list_queues', '--no-table-headers', 'online'],
    { env: { ...process.env, ...env } },
  )
  return stdout.split('@').length - 1 === 3 ? true : null
}

async function queueLength(url: string): Promise<number> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  const { messageCount } = await channel.checkQueue(QUEUE)
  await connection.close()
  return messageCount
}
