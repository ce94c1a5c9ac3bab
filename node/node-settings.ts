import type { Clock, FileSystem, InitialMember, Network, Random, ReplicaOptions } from '#cluster'
import type { AuditSink } from './audit/audit-sink.ts'
import { DEFAULT_DISK_LIMITS, DEV_DISK_LIMITS, type DiskLimits } from './disk/disk-level.ts'
import type { ScrubOptions } from './data-scrub.ts'
import type { ModerationHook, ModerationOptions } from './filters/moderation.ts'
import type { RateLimits } from './filters/rate-limiter.ts'
import type { ClientNetwork } from './gateway/client-listener.ts'
import type { GatewayOptions } from './gateway/gateway-options.ts'
import type { OriginPolicyOptions } from './gateway/origin-policy.ts'
import type { TokenSettings } from './identity/token-authenticator.ts'
import type { PushSettings } from './push/push-provider.ts'
import type { NodeReloads } from './reload.ts'
import type { SecurityReport } from './security-report.ts'
import type { StateLimits } from './state-machine/limits.ts'
import type { KeyValueDatabaseFactory } from './store/key-value-database.ts'

/** Everything outside the process, so that a simulator can stand in for all of it. */
export interface NodePorts {
  readonly clock: Clock
  readonly random: Random
  readonly fileSystem: FileSystem
  readonly network: Network
  readonly clientNetwork: ClientNetwork
  readonly databases: KeyValueDatabaseFactory
  /** What the machine and the process are like now, for operators. @default nothing to tell */
  readonly machine?: () => Readonly<Record<string, unknown>>
  /** The last lines of this node's log, oldest first. @default none are kept */
  readonly recentLines?: (count: number) => readonly string[]
  /** Where lines of the audit log go. @default among those of the log */
  readonly audit?: AuditSink
  /** Certificates, secrets and who was turned away. @default there are none */
  readonly security?: SecurityReport
}

/** What an operator says of one node. */
export interface NodeSettings {
  readonly name: string
  /** Clients and HTTP, `host:port`. */
  readonly listen: string
  /**
   * Metrics and what operators call, `host:port`; clients are then not served them. @default `listen`
   */
  readonly adminListen?: string
  /** Peers, `host:port`. */
  readonly peerListen: string
  readonly dataDirectory: string
  readonly initialMembers: readonly InitialMember[]
  /** An empty directory founds no cluster: it waits until one takes it in. @default false */
  readonly join?: boolean
  /**
   * An empty directory whose settings name no other member founds a cluster of one (rule K1): nobody
   * can tell it from one that lost its data. @default in dev mode only
   */
  readonly foundAlone?: boolean
  /** Lets clients on this machine in without a token. */
  readonly dev: boolean
  /** Web pages that may connect, and names under which clients reach this node. @default its own */
  readonly origins?: Partial<Pick<OriginPolicyOptions, 'allowedOrigins' | 'allowedHosts'>>
  /** Whose `X-Forwarded-For` is believed. @default nobody's */
  readonly isTrustedProxy?: (address: string) => boolean
  /** Which tokens are believed. @default none: only dev mode lets anybody in */
  readonly tokens?: TokenSettings
  /** How often users may write here. @default `DEFAULT_RATE_LIMITS`, in dev mode nobody is slowed */
  readonly rates?: Partial<RateLimits>
  /** Whom to ask about messages before they are stored. @default nobody */
  readonly moderation?: ModerationOptions & { readonly hook: ModerationHook }
  /** How devices that are away are called. @default nobody is */
  readonly push?: PushSettings
  readonly version: string
  /** Reads the configuration again. @default there is none to read */
  readonly reloads?: NodeReloads
  readonly replica?: Partial<ReplicaOptions>
  readonly gateway?: Partial<GatewayOptions>
  readonly log?: { readonly segmentBytes?: number }
  readonly state?: Partial<StateLimits>
  /** The highest feature level that it can do: as an older version. @default `FEATURE_LEVELS.max` */
  readonly mostLevel?: number
  /** How much room its disk has to have. @default `DEFAULT_DISK_LIMITS`, less in dev mode */
  readonly disk?: Partial<DiskLimits>
  /** How often it reads all that it holds, and how fast. @default `DEFAULT_SCRUB_OPTIONS` */
  readonly scrub?: Partial<ScrubOptions>
  /** How often nodes compare their state, in entries. @default 10,000 */
  readonly auditEveryEntries?: number
  /** Where this process kills itself, for drills: shown, so that nobody forgets it. @default nowhere */
  readonly unsafeFailpoints?: string
  /** Memory, CPU, event loop of the process: not in a simulator. @default false */
  readonly processMetrics?: boolean
}

/** Where clients reach the node. */
export function ownUrl({ initialMembers, name, listen }: NodeSettings): string {
  return initialMembers.find((member) => member.name === name)?.clientUrl ?? `http://${listen}`
}

/** What of a disk's room is kept free, with what the operator left open. */
export function diskLimitsOf({ dev, disk }: Pick<NodeSettings, 'dev' | 'disk'>): DiskLimits {
  const limits = { ...(dev ? DEV_DISK_LIMITS : DEFAULT_DISK_LIMITS), ...disk }
  const { lowBytes, hardBytes } = limits
  // Of two that contradict each other the one that was given stands.
  if (disk?.lowBytes === undefined) return { ...limits, lowBytes: Math.max(lowBytes, hardBytes) }
  return { ...limits, hardBytes: Math.min(lowBytes, hardBytes) }
}
