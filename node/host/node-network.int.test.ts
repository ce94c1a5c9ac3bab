import { describe, expect, it } from 'vitest'
import { networkContract } from './network.contract.ts'
import { NodeNetwork } from './node-network.ts'
import { freeAddress } from './testing/free-address.ts'

describe('NodeNetwork', () => {
  networkContract(async () => ({ network: new NodeNetwork(), freeAddress }))

  it('says what to do about an address that is taken', async () => {
    const network = new NodeNetwork()
    const listener = await network.listen('127.0.0.1:0', () => undefined)
    await expect(network.listen(listener.address, () => undefined)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `cannot listen on ${listener.address}: another process listens there: stop it or choose another address`,
    })
    await listener.close()
  })

  it('refuses what is no address', async () => {
    const network = new NodeNetwork()
    for (const address of ['7501', 'host:', 'host:70000', 'a:b:1']) {
      await expect(network.connect(address, 100)).rejects.toThrow('write host:port')
    }
  })

  it('gives up on a peer that does not answer', async () => {
    const network = new NodeNetwork()
    const started = performance.now()
    // 192.0.2.0/24 is reserved for documentation: nobody answers, or the machine says so at once.
    await expect(network.connect('192.0.2.1:7501', 50)).rejects.toThrow(
      'cannot reach 192.0.2.1:7501',
    )
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})
