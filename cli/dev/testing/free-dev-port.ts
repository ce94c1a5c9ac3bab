import { freePorts } from '../../../node/host/testing/free-ports.ts'

/** A `--port` from which on three nodes have theirs: clients', a hundred above peers', fifteen above those the nodes' behind relays. */
export async function freeDevPort(): Promise<number> {
  const [port] = (await freePorts(118)) as [number]
  return port
}
