import { flagOf } from './declaration.ts'
import type { NodeOptionName, NodeOptionValues } from './node-options.ts'

interface Read {
  /** Without those that are missing or wrong in themselves. */
  readonly values: Partial<NodeOptionValues>
  readonly origins: ReadonlyMap<NodeOptionName, string>
}

/** Options of which one is of no use without the other. */
const PAIRS: readonly (readonly [NodeOptionName, NodeOptionName])[] = [
  ['pushWebhookUrl', 'pushWebhookSecretFile'],
  ['pushVapidKeyFile', 'pushVapidSubject'],
  ['tlsCertFile', 'tlsKeyFile'],
  ['peerCertFile', 'peerKeyFile'],
  ['peerCertFile', 'peerCaFile'],
  ['peerKeyFile', 'peerCaFile'],
]

const LISTENERS = ['listen', 'adminListen', 'peerListen'] as const
const KEYS = ['tokenPublicKeyFile', 'tokenSecretFile', 'jwksUrl'] as const

/** What is wrong with options together that are right each for itself: a sentence each. */
export function configFaults(read: Read): string[] {
  return [
    ...memberFaults(read),
    ...listenFaults(read),
    ...pairFaults(read),
    ...tokenFaults(read),
    ...schemeFaults(read),
    ...diskFaults(read),
  ]
}

/** Where one is left open, the node fits it to the other. */
function diskFaults({ values, origins }: Read): string[] {
  const { diskLowBytes: low, diskHardBytes: hard } = values
  if (low === undefined || hard === undefined || low >= hard) return []
  return [
    `${origins.get('diskLowBytes')} is ${low} bytes, less than ${origins.get('diskHardBytes')} with ${hard}: a disk is low before it is hard`,
  ]
}

function memberFaults({ values, origins }: Read): string[] {
  const { name, initialMembers } = values
  if (name === undefined || initialMembers === undefined) return []
  if (initialMembers.some((member) => member.name === name)) return []
  const names = initialMembers.map((member) => member.name).join(', ')
  return [`${origins.get('initialMembers')} must name this node, ${name}: it names ${names}`]
}

function listenFaults({ values, origins }: Read): string[] {
  const taken = new Map<string, string>()
  return LISTENERS.flatMap((option) => {
    const address = values[option]
    if (address === undefined) return []
    const origin = origins.get(option) ?? option
    const other = taken.get(address)
    taken.set(address, origin)
    return other === undefined
      ? []
      : [`${origin} and ${other} are both ${address}: each needs its own`]
  })
}

function pairFaults({ values, origins }: Read): string[] {
  return PAIRS.flatMap(([one, other]) => {
    if ((values[one] === undefined) === (values[other] === undefined)) return []
    const [given, missing] = values[one] === undefined ? [other, one] : [one, other]
    return [`${origins.get(given)} needs ${flagOf(missing)} as well`]
  })
}

function tokenFaults({ values, origins }: Read): string[] {
  const origin = origins.get('tokenIssuer') ?? origins.get('tokenAudience')
  if (origin === undefined || KEYS.some((key) => values[key] !== undefined)) return []
  return [`${origin} says nothing without a key: add ${KEYS.map(flagOf).join(', ')}`]
}

/** A node says to its clients where they reach the others. */
function schemeFaults({ values, origins }: Read): string[] {
  const { name, initialMembers = [], tlsCertFile } = values
  const own = initialMembers.find((member) => member.name === name)?.clientUrl
  if (tlsCertFile === undefined || own === undefined || own.startsWith('https:')) return []
  const right = own.replace('http:', 'https:')
  return [
    `clients reach ${name} by TLS: write ${name}=${right}/… in ${origins.get('initialMembers')}`,
  ]
}
