import { freePorts } from '../../../node/host/testing/free-ports.ts'

/** A `--port` from which on three nodes have theirs, clients' and, a hundred above, peers'. */
export async function freeDevPort(): Promise<number> {
  const [port] = (await freePorts(103)) as [number]
  return port
}
