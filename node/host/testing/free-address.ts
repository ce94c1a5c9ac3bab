import { freePorts } from './free-ports.ts'

/** An address of the loopback that only this process will listen at. */
export async function freeAddress(): Promise<string> {
  const [port] = await freePorts(1)
  return `127.0.0.1:${port}`
}
