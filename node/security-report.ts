import { type CounterCell, counterCells } from '#cluster'

/** Why a connection between nodes came to nothing before anybody said who he is. */
export const PEER_FAULTS = [
  /** Another cluster secret, or none. */
  'secret',
  /** A certificate of an authority that is not believed, or that is good for something else. */
  'untrusted',
  'expired',
  'not_yet_valid',
  /** Taken back by its authority (`--peer-crl-file`). */
  'revoked',
  'no_certificate',
  /** Bytes that are no TLS, or a connection that ended within the handshake. */
  'handshake',
  /** The other side took offence. */
  'refused',
] as const
export type PeerFault = (typeof PEER_FAULTS)[number]

/** What may be exchanged while a node runs. */
export const RELOADED = ['clients', 'peers', 'secret', 'tokens'] as const
export type Reloaded = (typeof RELOADED)[number]

/** What a node's host knows of certificates, secrets and who was turned away; read when it is shown. */
export interface SecurityReport {
  /** Wall time in ms until when each is good; 0: there is none, or it does not say. */
  certificateEnds(): Readonly<Record<'clients' | 'peers' | 'peer_ca' | 'peer_crl', number>>
  readonly reloads: Readonly<Record<'changed' | 'failed', CounterCell>>
  readonly peerFaults: Readonly<Record<PeerFault, CounterCell>>
  /** Clients whose TLS handshake failed. */
  readonly clientFaults: Readonly<Record<'handshake', CounterCell>>
  /** Sentences for operators, of what will not go well for long. */
  warnings(): readonly string[]
}

/** Of a host without TLS, such as a simulated one. */
export const NO_SECURITY: SecurityReport = {
  certificateEnds: () => ({ clients: 0, peers: 0, peer_ca: 0, peer_crl: 0 }),
  reloads: counterCells('changed', 'failed'),
  peerFaults: counterCells(...PEER_FAULTS),
  clientFaults: counterCells('handshake'),
  warnings: () => [],
}
