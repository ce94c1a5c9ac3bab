import {
  type Configuration,
  configurationFault,
  decodeConfiguration,
} from '../raft/configuration.ts'
import { PeerProtocolError } from './peer-frame.ts'

/**
 * A configuration that a peer names. The core takes for granted that one can be read and has voters:
 * a peer must not be able to stop it.
 *
 * @throws PeerProtocolError if no group could have it in force
 */
export function checkedConfiguration(given: Configuration): Configuration {
  const fault = configurationFault(given, given)
  if (fault !== null) throw new PeerProtocolError(`a peer names a wrong configuration: ${fault}`)
  return given
}

/** The same as an entry holds it. */
export function decodeCheckedConfiguration(bytes: Uint8Array): Configuration {
  return checkedConfiguration(
    decodeConfiguration(bytes, (message) => new PeerProtocolError(message)),
  )
}
