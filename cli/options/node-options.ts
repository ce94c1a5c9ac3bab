import type { Declaration, ValueOf } from './declaration.ts'

const KIB = 1024
const MIB = 1024 * KIB

/**
 * Every option of `parley node`, once. The key is the name in a configuration file; flag and
 * environment variable follow from it (`userRate`, `--user-rate`, `PARLEY_USER_RATE`). Help,
 * validation and docs/configuration.md come from here; `server-options.ts` hands the values on.
 */
export const NODE_OPTIONS = {
  name: {
    section: 'The node',
    kind: 'text',
    placeholder: 'name',
    isRequired: true,
    help: 'this node, as its peers call it',
  },
  listen: {
    section: 'The node',
    kind: 'address',
    isRequired: true,
    help: 'where clients reach it',
  },
  adminListen: {
    section: 'The node',
    kind: 'address',
    otherwise: 'where clients do',
    help: 'where metrics and operators reach it',
  },
  peerListen: {
    section: 'The node',
    kind: 'address',
    isRequired: true,
    help: 'where peers reach it',
  },
  data: {
    section: 'The node',
    kind: 'path',
    placeholder: 'directory',
    isRequired: true,
    help: 'where it keeps everything',
  },
  initialMembers: {
    section: 'The node',
    kind: 'members',
    isRequired: true,
    help: 'every member at formation, this one too: n1=host:port/host:peer-port,n2=…',
  },
  foundAlone: {
    section: 'The node',
    kind: 'flag',
    preset: 'false',
    help: 'with an empty directory: found a cluster of this one node',
  },
  dev: {
    section: 'The node',
    kind: 'flag',
    preset: 'false',
    help: 'trust a user without a token from this machine',
  },
  logLevel: {
    section: 'The node',
    kind: 'choice',
    placeholder: 'level',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    preset: 'info',
    reload: true,
    help: 'least severe lines to write',
  },
  allowedOrigins: {
    section: 'Who may connect',
    kind: 'origins',
    placeholder: 'origins',
    otherwise: 'pages that the node itself serves',
    reload: true,
    help: 'web pages that may connect, like https://chat.example.org',
  },
  allowedHosts: {
    section: 'Who may connect',
    kind: 'words',
    placeholder: 'names',
    otherwise: 'addresses and localhost',
    reload: true,
    help: 'host names under which clients reach this node',
  },
  tokenPublicKeyFile: {
    section: 'Tokens',
    kind: 'paths',
    reload: true,
    help: 'Ed25519 public keys for tokens, PEM or JWK',
  },
  tokenSecretFile: {
    section: 'Tokens',
    kind: 'paths',
    isSecret: true,
    reload: true,
    help: 'secrets for HS256 tokens, of at least 32 bytes',
  },
  jwksUrl: {
    section: 'Tokens',
    kind: 'url',
    protocols: ['https:', 'http:', 'file:'],
    reload: true,
    help: 'published keys for tokens: https: or file:',
  },
  tokenIssuer: {
    section: 'Tokens',
    kind: 'text',
    otherwise: 'any',
    reload: true,
    help: 'iss that every token must have',
  },
  tokenAudience: {
    section: 'Tokens',
    kind: 'text',
    otherwise: 'any',
    reload: true,
    help: 'aud that every token must have',
  },
  tokenLeeway: {
    section: 'Tokens',
    kind: 'duration',
    preset: '30s',
    least: 0,
    most: 600_000,
    reload: true,
    help: 'how far clocks may differ',
  },
  userRate: {
    section: 'How much',
    kind: 'number',
    placeholder: 'writes',
    unit: 'writes per second',
    least: 0.001,
    most: 1_000_000,
    otherwise: '200, without a limit with --dev',
    reload: true,
    help: 'writes per second of one user here',
  },
  deviceRate: {
    section: 'How much',
    kind: 'number',
    placeholder: 'writes',
    unit: 'writes per second',
    least: 0.001,
    most: 1_000_000,
    otherwise: '100, without a limit with --dev',
    reload: true,
    help: 'writes per second of one device here',
  },
  moderationUrl: {
    section: 'Moderation',
    kind: 'url',
    protocols: ['https:', 'http:'],
    otherwise: 'nobody is asked',
    reload: true,
    help: 'asked about each message before it is stored',
  },
  moderationTimeout: {
    section: 'Moderation',
    kind: 'duration',
    preset: '1s',
    least: 1,
    most: 60_000,
    reload: true,
    help: 'how long its answer may take',
  },
  moderationFailure: {
    section: 'Moderation',
    kind: 'choice',
    placeholder: 'policy',
    choices: ['open', 'closed'],
    preset: 'closed',
    reload: true,
    help: 'without an answer: open lets messages through, closed asks to try again',
  },
  pushWebhookUrl: {
    section: 'Push to devices that are away',
    kind: 'url',
    protocols: ['https:', 'http:'],
    help: 'told of devices that are away when a message comes for them',
  },
  pushWebhookSecretFile: {
    section: 'Push to devices that are away',
    kind: 'path',
    isSecret: true,
    help: 'signs what the webhook is told: at least 32 bytes',
  },
  pushVapidKeyFile: {
    section: 'Push to devices that are away',
    kind: 'path',
    isSecret: true,
    help: 'calls browsers by web push: JSON with publicKey and privateKey',
  },
  pushVapidSubject: {
    section: 'Push to devices that are away',
    kind: 'url',
    protocols: ['mailto:', 'https:'],
    help: 'where push services reach you: mailto: or https:',
  },
  pushHosts: {
    section: 'Push to devices that are away',
    kind: 'words',
    placeholder: 'hosts',
    otherwise: 'those of the great browsers alone',
    help: 'push services beside those of the great browsers',
  },
  pushPosition: {
    section: 'Push to devices that are away',
    kind: 'flag',
    preset: 'false',
    help: 'calls name the conversation and the seq of the message',
  },
  logSegmentBytes: {
    section: 'Disk and log',
    kind: 'bytes',
    preset: '64MiB',
    least: 4 * KIB,
    most: 1024 * MIB,
    help: 'size of a log file',
  },
  checkpointBytes: {
    section: 'Disk and log',
    kind: 'bytes',
    preset: '32MiB',
    least: 4 * KIB,
    most: 1024 * MIB,
    help: 'bytes of messages between two checkpoints',
  },
  diskLowBytes: {
    section: 'Disk and log',
    kind: 'bytes',
    otherwise: '512MiB, with --dev 64MiB',
    least: 0,
    most: 1024 * 1024 * MIB,
    help: 'with less free this node does not lead if others can; a majority of such nodes takes no writes',
  },
  diskHardBytes: {
    section: 'Disk and log',
    kind: 'bytes',
    otherwise: '128MiB, with --dev 32MiB',
    least: 0,
    most: 1024 * 1024 * MIB,
    help: 'with less free this node takes only what is small or makes room',
  },
  diskReserveBytes: {
    section: 'Disk and log',
    kind: 'bytes',
    otherwise: '64MiB, with --dev none',
    least: 0,
    most: 1024 * MIB,
    help: 'size of a file that is given up when the disk is full',
  },
  unsafeFailpoints: {
    section: 'Drills',
    kind: 'text',
    placeholder: 'spec',
    help: 'fail on purpose: for drills',
  },
} as const satisfies Record<string, Declaration>

export type NodeOptionName = keyof typeof NODE_OPTIONS
export type NodeOptionValues = {
  readonly [Name in NodeOptionName]: ValueOf<(typeof NODE_OPTIONS)[Name]>
}

export const NODE_OPTION_NAMES = Object.keys(NODE_OPTIONS) as readonly NodeOptionName[]

/** The same, for whoever treats all of them alike. */
export const declarationOf = (name: NodeOptionName): Declaration => NODE_OPTIONS[name]
