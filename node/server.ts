import packageJson from '../package.json' with { type: 'json' }
import { type Clock, type Failpoints, type Logger, NO_FAILPOINTS } from '#cluster'
import { StartError } from './data-directory.ts'
import { limitedDrain } from './drain-limit.ts'
import { ALONE } from './admin/cluster-view.ts'
import type { ModerationOptions } from './filters/moderation.ts'
import type { RateLimits } from './filters/rate-limiter.ts'
import { DEFAULT_GATEWAY_OPTIONS, type GatewayOptions } from './gateway/gateway-options.ts'
import { isLoopback } from './gateway/origin-policy.ts'
import { parseAddress } from './host/address.ts'
import { AuditFile } from './host/audit-file.ts'
import { KillFailpoints } from './host/kill-failpoints.ts'
import { machineFacts } from './host/machine-facts.ts'
import { httpModeration } from './host/http-moderation.ts'
import { NodeClock } from './host/node-clock.ts'
import { NodeFileSystem } from './host/node-file-system.ts'
import { NodeNetwork } from './host/node-network.ts'
import { NodeRandom } from './host/node-random.ts'
import { NodeSecurity, type SecurityOptions } from './host/node-security.ts'
import { type PushOptions, readPushSettings } from './host/push-files.ts'
import { readTokenSettings, type TokenOptions } from './host/token-files.ts'
import { trustedProxies } from './host/trusted-proxies.ts'
import { setV8Flags } from './host/v8-flags.ts'
import { WsNetwork } from './host/ws-listener.ts'
import { createLogger, type LogLevel } from './logger.ts'
import type { LiveSettings } from './live-settings.ts'
import type { NodePorts, NodeSettings } from './node-settings.ts'
import { ParleyNode } from './parley-node.ts'
import { RecentLines } from './recent-lines.ts'
import { Reloader, type ReloadReport, type Reread } from './reload.ts'
import { LevelDatabaseFactory } from './store/level-database.ts'

/** What an operator says of one node on a real machine. */
export interface ServerOptions extends Pick<
  NodeSettings,
  | 'name'
  | 'listen'
  | 'adminListen'
  | 'peerListen'
  | 'dataDirectory'
  | 'initialMembers'
  | 'foundAlone'
  | 'disk'
  | 'scrub'
  | 'join'
  | 'dev'
  | 'origins'
> {
  readonly logLevel: LogLevel
  /** What clients may take. */
  readonly clients?: Partial<
    Pick<
      GatewayOptions,
      | 'maxConnections'
      | 'maxConnectionsPerAddress'
      | 'hellosPerSecondPerAddress'
      | 'requestsPerSecondPerAddress'
      | 'framesPerSecond'
      | 'bytesPerSecond'
      | 'helloTimeoutMs'
    >
  >
  /** How long an HTTP connection without a call stays open. @default 75 s */
  readonly keepAliveMs?: number
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed. @default none */
  readonly trustedProxies?: readonly string[]
  /** Writes per second of a user, of a device; five seconds' worth at once. */
  readonly rates?: { readonly user?: number; readonly device?: number }
  /** Whom to ask about messages before they are stored. @default nobody */
  readonly moderation?: Pick<ModerationOptions, 'timeoutMs' | 'onFailure'> & {
    readonly url: string
  }
  /** How devices that are away are called. @default nobody is */
  readonly push?: PushOptions
  /** Certificates and secrets, for clients and for peers. @default everybody speaks in clear */
  readonly security?: SecurityOptions
  /** Where what operators do is recorded. @default among the lines of the log */
  readonly auditFile?: string
  /** Keys that tokens of clients are checked with. @default none: only dev mode lets anybody in */
  readonly tokens?: TokenOptions
  /** Size of a log file. @default 64 MiB */
  readonly logSegmentBytes?: number
  /** Bytes applied between two checkpoints; writes wait at twice as many. @default 6 MiB */
  readonly checkpointBytes?: number
  /** `name=count,…`; for drills only: the process kills itself there. */
  readonly unsafeFailpoints?: string
}

export interface RunningServer {
  /** Drains and closes, within 30 s; harmless to call twice. */
  drain(): Promise<void>
  /**
   * Reads the configuration and the files that it names again, and puts in force what may change while
   * the node runs: all of it or, with anything wrong, nothing. Never rejects.
   */
  reload(): Promise<ReloadReport>
  /** Resolves once: `null` after a drain, else what made the node stop. */
  readonly stopped: Promise<Error | null>
}

/** How long clients get to leave on their own. */
const DRAIN_MS = 20_000

/** Reads flags, environment and file again. */
export type RereadOptions = () => Promise<
  Reread<ServerOptions> | { readonly faults: readonly string[] }
>

/**
 * Runs one node on the real machine.
 *
 * @throws Error whose message says what an operator does next
 */
export async function startServer(
  options: ServerOptions,
  reread: RereadOptions,
): Promise<RunningServer> {
  setV8Flags()
  const { logger, recent } = remembering(options)
  const failpoints = failpointsOf(options)
  const live = await readLiveSettings(options)
  const security = await NodeSecurity.open(options.security ?? {}, logger)
  const audit = options.auditFile === undefined ? null : await AuditFile.open(options.auditFile)
  const ports = realPorts(options, { security, audit, recent })
  const push = await readPushSettings(options.push ?? {}, ports.clock)
  if (options.initialMembers.length === 1 && options.join !== true)
    logger.warn('cluster.single', { message: ALONE })
  const { logSegmentBytes, checkpointBytes } = options
  const {
    tokens: _,
    rates: __,
    moderation: ___,
    push: ____,
    origins: _____,
    security: ______,
    auditFile: _______,
    ...said
  } = options
  let running: ParleyNode | null = null
  const reloader = new Reloader({
    reread,
    apply: async (again: ServerOptions) => {
      const next = await readLiveSettings(again)
      const failed = (await security.reload()).find(({ outcome }) => outcome === 'failed')
      if (failed !== undefined) throw new StartError(failed.message ?? failed.what)
      await audit?.reopen()
      if (running === null) throw new StartError('the node is about to start; reload again')
      running.reconfigure(next)
      logger.setLevel(again.logLevel)
    },
    logger,
  })
  const settings: NodeSettings = {
    ...said,
    ...live,
    ...(push === null ? {} : { push }),
    version: packageJson.version,
    processMetrics: true,
    reloads: reloader,
    ...(logSegmentBytes === undefined ? {} : { log: { segmentBytes: logSegmentBytes } }),
    ...(checkpointBytes === undefined
      ? {}
      : { state: { checkpointBytes, dirtyBytes: 2 * checkpointBytes } }),
  }
  const node = await ParleyNode.start(settings, ports, logger, failpoints)
  running = node
  logger.info('node.started', { listen: options.listen, peerListen: options.peerListen })
  return runningServer(node, {
    ...{ logger, clock: ports.clock },
    reload: () => reloader.reload(),
    close: () => security.close(),
  })
}

/** What this process keeps besides its node. */
interface OwnParts {
  readonly security: NodeSecurity
  readonly audit: AuditFile | null
  readonly recent: RecentLines
}

/** The machine: its clock, disk and sockets. */
function realPorts(
  { keepAliveMs }: ServerOptions,
  { security, audit, recent }: OwnParts,
): NodePorts {
  const fileSystem = new NodeFileSystem()
  return {
    clock: new NodeClock(),
    random: new NodeRandom(),
    fileSystem,
    network: new NodeNetwork(security.guard),
    clientNetwork: new WsNetwork({
      maxMessageBytes: DEFAULT_GATEWAY_OPTIONS.maxMessageBytes,
      ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
      tls: security.clients,
    }),
    databases: new LevelDatabaseFactory(fileSystem),
    machine: machineFacts,
    recentLines: (count) => recent.last(count),
    security,
    ...(audit === null ? {} : { audit }),
  }
}

/** `close` is called once the node has ended. */
function runningServer(
  node: ParleyNode,
  {
    clock,
    logger,
    reload,
    close,
  }: Pick<RunningServer, 'reload'> & { clock: Clock; logger: Logger; close: () => void },
): RunningServer {
  const limited = limitedDrain({ clock, logger, drain: () => node.drain(DRAIN_MS) })
  return {
    drain: () => limited.drain(),
    reload,
    stopped: Promise.race([node.ended, limited.gaveUp]).finally(close),
  }
}

/**
 * Reads what a start would read, and opens nothing.
 *
 * @throws StartError with the first thing that is wrong
 */
export async function checkServer(options: ServerOptions): Promise<void> {
  await readLiveSettings(options)
  await readPushSettings(options.push ?? {}, new NodeClock())
}

/**
 * Reads the files that it needs.
 *
 * @throws StartError with a sentence: what it says cannot be in force
 */
async function readLiveSettings(options: ServerOptions): Promise<LiveSettings> {
  const { clients, origins, rates = {}, moderation, trustedProxies: proxies = [] } = options
  const tokens = await readTokenSettings(options.tokens ?? {})
  refuseStrangers(options, tokens !== null)
  return {
    ...(origins === undefined ? {} : { origins }),
    ...(clients === undefined ? {} : { gateway: clients }),
    isTrustedProxy: trustedProxies(proxies),
    ...(tokens === null ? {} : { tokens }),
    ...(rates.user === undefined && rates.device === undefined ? {} : { rates: ratesOf(rates) }),
    ...(moderation === undefined
      ? {}
      : { moderation: { ...moderation, hook: httpModeration(moderation.url) } }),
  }
}

function failpointsOf({ unsafeFailpoints }: ServerOptions): Failpoints {
  return unsafeFailpoints === undefined ? NO_FAILPOINTS : new KillFailpoints(unsafeFailpoints)
}

/** A log whose last lines an operator can ask for. */
function remembering({ name, logLevel }: ServerOptions) {
  const recent = new RecentLines()
  const onLine = (line: string): void => recent.push(line)
  return { recent, logger: createLogger({ node: name, level: logLevel, onLine }) }
}

function ratesOf({ user, device }: NonNullable<ServerOptions['rates']>): Partial<RateLimits> {
  const rate = (perSecond: number) => ({ perSecond, burst: Math.max(1, 5 * perSecond) })
  return {
    ...(user === undefined ? {} : { user: rate(user) }),
    ...(device === undefined ? {} : { device: rate(device) }),
  }
}

/** Who can check nobody must not be reached by anybody but this machine. */
function refuseStrangers(options: ServerOptions, hasKeys: boolean): void {
  const { listen, adminListen, peerListen, dev, security } = options
  const keys = '--token-secret-file, --token-public-key-file or --jwks-url'
  for (const [flag, address] of [
    ['--listen', listen],
    ['--admin-listen', adminListen ?? listen],
  ] as const) {
    if (isOwnMachine(address)) continue
    if (!hasKeys) {
      refuse(
        `${address} can be reached from other machines, and this node has no key to tell their users apart: give it ${keys}, or let it ${flag} on 127.0.0.1`,
      )
    }
    if (dev) {
      refuse(
        `${address} can be reached from other machines, and --dev lets in who shows no token: leave --dev out, or let it ${flag} on 127.0.0.1`,
      )
    }
  }
  const hasProof = security?.peers !== undefined || (security?.secretFiles ?? []).length > 0
  if (hasProof || isOwnMachine(peerListen)) return
  refuse(
    `${peerListen} can be reached from other machines, and this node cannot tell its peers from strangers: give all nodes --cluster-secret-file (see parley certs secret) or --peer-cert-file, --peer-key-file and --peer-ca-file, or let it --peer-listen on 127.0.0.1`,
  )
}

const isOwnMachine = (address: string): boolean =>
  parseAddress(address).host === 'localhost' || isLoopback(address)

function refuse(message: string): never {
  throw new StartError(message, { isRefused: true })
}
