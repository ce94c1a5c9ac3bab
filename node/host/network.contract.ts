import { expect, it } from 'vitest'
import type { Address, Connection, Network } from '#cluster'

/** What a test needs of a network: the port, addresses, and time that passes by itself. */
export interface NetworkUnderTest {
  readonly network: Network
  /** An address that nobody listens on. */
  readonly freeAddress: () => Promise<Address>
}

const CONNECT_MS = 5_000

/** What every network promises, the real one and a simulated one alike. */
export function networkContract(make: () => Promise<NetworkUnderTest>): void {
  /** Two ends of one connection, and what closes the rest. */
  const pair = async (): Promise<{
    near: Connection
    far: Connection
    end: () => Promise<void>
  }> => {
    const { network, freeAddress } = await make()
    const accepted = Promise.withResolvers<Connection>()
    const listener = await network.listen(await freeAddress(), (far) => {
      far.onData = () => undefined
      accepted.resolve(far)
    })
    const near = await network.connect(listener.address, CONNECT_MS)
    return { near, far: await accepted.promise, end: () => listener.close() }
  }

  const received = (connection: Connection, length: number): Promise<Buffer> =>
    new Promise((resolve) => {
      const parts: Uint8Array[] = []
      let bytes = 0
      connection.onData = (part) => {
        parts.push(Uint8Array.from(part))
        bytes += part.length
        if (bytes >= length) resolve(Buffer.concat(parts))
      }
    })

  const closed = (connection: Connection): Promise<Error | null> =>
    new Promise((resolve) => (connection.onClose = resolve))

  it('carries bytes both ways, whole and in order', async () => {
    const { near, far, end } = await pair()
    const there = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 253))
    const toFar = received(far, there.length)
    const toNear = received(near, 5)
    for (let at = 0; at < there.length; at += 7_001) near.write(there.subarray(at, at + 7_001))
    far.write(new TextEncoder().encode('hello'))
    expect(Buffer.compare(await toFar, there)).toBe(0)
    expect((await toNear).toString()).toBe('hello')
    const ends = [closed(near), closed(far)]
    near.destroy()
    await Promise.all(ends)
    await end()
  })

  it('tells the end once, on both sides', async () => {
    const { near, far, end } = await pair()
    let ends = 0
    const both = Promise.all(
      [near, far].map(
        (connection) =>
          new Promise<void>((resolve) => {
            connection.onClose = () => {
              ends++
              resolve()
            }
          }),
      ),
    )
    far.destroy()
    far.destroy()
    await both
    near.write(new Uint8Array(10))
    near.destroy()
    expect(ends).toBe(2)
    await end()
  })

  it('counts what waits to be taken', async () => {
    const { near, far, end } = await pair()
    expect(near.bufferedBytes()).toBe(0)
    const all = 4_000_000
    const taken = received(far, all)
    near.write(new Uint8Array(all))
    expect(near.bufferedBytes()).toBeLessThanOrEqual(all)
    await taken
    expect(near.bufferedBytes()).toBe(0)
    const ends = [closed(near), closed(far)]
    near.destroy()
    await Promise.all(ends)
    await end()
  })

  it('refuses an address that is taken, by name', async () => {
    const { network, freeAddress } = await make()
    const address = await freeAddress()
    const listener = await network.listen(address, () => undefined)
    await expect(network.listen(address, () => undefined)).rejects.toThrow(address)
    await listener.close()
    await (await network.listen(address, () => undefined)).close()
  })

  it('keeps connections when the listener closes, and takes no new ones', async () => {
    const { network, freeAddress } = await make()
    const address = await freeAddress()
    const accepted = Promise.withResolvers<Connection>()
    const listener = await network.listen(address, accepted.resolve)
    const near = await network.connect(address, CONNECT_MS)
    const far = await accepted.promise
    await listener.close()
    await expect(network.connect(address, CONNECT_MS)).rejects.toThrow(address)
    const arrives = received(far, 2)
    near.write(new TextEncoder().encode('ok'))
    expect((await arrives).toString()).toBe('ok')
    const ends = [closed(near), closed(far)]
    near.destroy()
    await Promise.all(ends)
  })

  it('fails to reach what does not listen', async () => {
    const { network, freeAddress } = await make()
    const address = await freeAddress()
    await expect(network.connect(address, CONNECT_MS)).rejects.toThrow(address)
  })
}
