import { counterCells, type Logger } from '#cluster'
import { StartError } from '../data-directory.ts'
import { PEER_FAULTS, type SecurityReport } from '../security-report.ts'
import { ClientTls } from './tls/client-tls.ts'
import { readClusterSecrets } from './tls/cluster-secret.ts'
import { PeerGuard } from './tls/peer-guard.ts'
import { Reloadable, type ReloadOutcome } from './tls/reloadable.ts'
import {
  type CertificateFiles,
  dateFault,
  readTlsMaterial,
  type TlsMaterial,
} from './tls/tls-material.ts'

/** Where an operator says that certificates and secrets of a node are. */
export interface SecurityOptions {
  /** For clients and operators. @default they speak in clear */
  readonly clients?: Omit<CertificateFiles, 'caFile'> & {
    /** @default 'TLSv1.2' */
    readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  }
  /** What peers show each other. */
  readonly peers?: CertificateFiles & {
    readonly caFile: string
    /** How certificates name nodes, `{name}.example.org`. @default `parley://{name}`, else host names */
    readonly names?: readonly string[]
  }
  /** In place of certificates or beside them: the first is shown, each is accepted. */
  readonly secretFiles?: readonly string[]
  /** How often files are looked at, in ms. @default 30 s */
  readonly checkMs?: number
}

const REVOKED =
  'the certificate for peers is revoked: they turn this node away; make another with: parley certs renew NAME --new-key'
const OLD_LIST =
  'the list of revoked certificates of --peer-crl-file is out of date: what it says still holds, and what was revoked since is let in; put a newer one in its place'

/** What can be made anew from its files while the node runs. */
type Source = Pick<Reloadable<{ readonly digest: string }>, 'fault' | 'reload'>

const DEFAULT_CHECK_MS = 30_000

/** Certificates end so long before anybody is told of it, in ms. */
const WARN_MS = 14 * 86_400_000

/**
 * Who a node is to its clients and peers, and whom it takes for a peer: read from files, and read
 * again as they change.
 */
export class NodeSecurity implements SecurityReport {
  readonly reloads = counterCells('changed', 'failed')
  readonly clients: ClientTls | null
  /** `null`: this node takes whoever connects for a peer. */
  readonly guard: PeerGuard | null
  readonly peerFaults: SecurityReport['peerFaults']
  readonly clientFaults: SecurityReport['clientFaults']
  readonly #sources: Source[] = []
  readonly #client: Reloadable<TlsMaterial> | null
  readonly #peer: Reloadable<TlsMaterial> | null
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout
  #warned: ReadonlySet<string> = new Set()

  /**
   * Reads everything once.
   *
   * @throws StartError with what to do next
   */
  static async open(options: SecurityOptions, logger: Logger): Promise<NodeSecurity> {
    const { clients, peers, secretFiles = [] } = options
    try {
      const client = clients === undefined ? null : await certificate('clients', clients, logger)
      const peer = peers === undefined ? null : await certificate('peers', peers, logger)
      const secrets =
        secretFiles.length === 0
          ? null
          : await Reloadable.open('secret', () => readClusterSecrets(secretFiles), logger)
      return new NodeSecurity(options, logger, { client, peer, secrets })
    } catch (error) {
      throw new StartError((error as Error).message, { cause: error })
    }
  }

  private constructor(
    options: SecurityOptions,
    logger: Logger,
    sources: {
      readonly client: Reloadable<TlsMaterial> | null
      readonly peer: Reloadable<TlsMaterial> | null
      readonly secrets: Reloadable<Awaited<ReturnType<typeof readClusterSecrets>>> | null
    },
  ) {
    const { client, peer, secrets } = sources
    this.#client = client
    this.#peer = peer
    this.#sources.push(...[client, peer, secrets].filter((source) => source !== null))
    this.clients =
      client === null ? null : new ClientTls(client, options.clients?.minVersion ?? 'TLSv1.2')
    const credentials = () => ({
      certificate: peer?.current ?? null,
      secrets: secrets?.current.secrets ?? [],
      patterns: options.peers?.names ?? [],
    })
    this.guard = peer === null && secrets === null ? null : new PeerGuard(credentials(), logger)
    peer?.onChange((certificate) => this.guard?.change({ ...credentials(), certificate }))
    secrets?.onChange((next) => this.guard?.change({ ...credentials(), secrets: next.secrets }))
    this.peerFaults = this.guard?.faults ?? counterCells(...PEER_FAULTS)
    this.clientFaults = this.clients?.faults ?? counterCells('handshake')
    this.#logger = logger
    this.#warn()
    const look = () => void this.#reload(true)
    this.#timer = setInterval(look, options.checkMs ?? DEFAULT_CHECK_MS).unref()
  }

  /** Looks at all files now. What cannot be used stays as it is, and says so. Never rejects. */
  reload(): Promise<readonly ReloadOutcome[]> {
    return this.#reload(false)
  }

  certificateEnds(): ReturnType<SecurityReport['certificateEnds']> {
    return {
      clients: this.#client?.current.notAfter ?? 0,
      peers: this.#peer?.current.notAfter ?? 0,
      peer_ca: this.#peer?.current.caNotAfter ?? 0,
      peer_crl: this.#peer?.current.revoked?.nextUpdate ?? 0,
    }
  }

  warnings(): readonly string[] {
    const wallMs = Date.now()
    const { clients, peers, peer_ca, peer_crl } = this.certificateEnds()
    const revokedSince = this.#peer?.current.revokedSince ?? null
    const recent = this.guard?.recentFault ?? null
    return [
      ...this.#sources.flatMap(({ fault }) => fault ?? []),
      ...dateWarning('the certificate for clients', clients, wallMs),
      ...dateWarning('the certificate for peers', peers, wallMs),
      ...dateWarning('an authority for peers', peer_ca, wallMs),
      ...(peer_crl === 0 || peer_crl > wallMs ? [] : [OLD_LIST]),
      ...(revokedSince === null ? [] : [REVOKED]),
      ...(recent === null ? [] : [`turned away within the last minute: ${recent}`]),
    ]
  }

  close(): void {
    clearInterval(this.#timer)
    this.guard?.close()
  }

  async #reload(isPatient: boolean): Promise<readonly ReloadOutcome[]> {
    const outcomes = await Promise.all(this.#sources.map((source) => source.reload({ isPatient })))
    for (const { outcome } of outcomes) if (outcome !== 'unchanged') this.reloads[outcome].add()
    this.#warn()
    return outcomes
  }

  /** A line for each that is new. */
  #warn(): void {
    const warnings = new Set(this.#sources.length === 0 ? [] : this.warnings())
    for (const message of warnings) {
      if (!this.#warned.has(message)) this.#logger.warn('security.warning', { message })
    }
    this.#warned = warnings
  }
}

/** A certificate that replaces another must be good now; the first one may be judged by its readers. */
async function certificate(
  what: 'clients' | 'peers',
  files: CertificateFiles,
  logger: Logger,
): Promise<Reloadable<TlsMaterial>> {
  let isFirst = true
  const read = async () => {
    const material = await readTlsMaterial(files)
    const fault = isFirst ? null : dateFault(material, Date.now())
    if (fault !== null) throw new Error(`${files.certFile} is ${fault}`)
    isFirst = false
    return material
  }
  return Reloadable.open(what, read, logger)
}

function dateWarning(what: string, notAfter: number, wallMs: number): string[] {
  if (notAfter === 0 || notAfter - wallMs > WARN_MS) return []
  const day = new Date(notAfter).toISOString().slice(0, 10)
  const verb = notAfter <= wallMs ? 'expired' : 'expires'
  return [`${what} ${verb} on ${day}: renew it with: parley certs renew`]
}
