import { isAddress, isMemberName } from '../../node/admin/member-address.ts'
import { CliError, ExitCode } from '../exit-codes.ts'

export interface InitialMember {
  readonly name: string
  /** `http://host:port`, or `https:` */
  readonly clientUrl: string
  /** `host:port` */
  readonly peerAddress: string
}

/**
 * Reads `n1=127.0.0.1:7401/127.0.0.1:7501,n2=…`: client address, then peer address. Where clients come
 * by TLS: `n1=https://chat1.example:7400/10.0.0.1:7500`.
 */
export function parseMembers(text: string): InitialMember[] {
  const members = text.split(',').map((part): InitialMember => {
    const match = /^([^=]*)=(https?:\/\/)?([^/]*)\/(.*)$/.exec(part.trim())
    if (match === null) {
      throw usage(`"${part}" is not name=host:port/host:peer-port`)
    }
    const [, name = '', scheme = 'http://', client = '', peer = ''] = match
    if (!isMemberName(name)) {
      throw usage(`"${name}" is not a name: up to 63 letters, digits, dots, hyphens, underscores`)
    }
    return {
      name,
      clientUrl: `${scheme}${checkAddress(client)}`,
      peerAddress: checkAddress(peer),
    }
  })
  const seen = new Set<string>()
  for (const member of members) {
    for (const word of [member.name, member.clientUrl, member.peerAddress]) {
      if (seen.has(word)) throw usage(`${word} appears twice`)
      seen.add(word)
    }
  }
  return members
}

/** The inverse of `parseMembers`. */
export function formatMembers(members: readonly InitialMember[]): string {
  return members
    .map(
      ({ name, clientUrl, peerAddress }) =>
        `${name}=${clientUrl.replace(/^http:\/\//, '')}/${peerAddress}`,
    )
    .join(',')
}

function checkAddress(text: string): string {
  if (!isAddress(text)) throw usage(`"${text}" is not host:port`)
  return text
}

function usage(message: string): CliError {
  return new CliError(ExitCode.usage, message)
}
