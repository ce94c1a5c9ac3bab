import { BlockList, isIP } from 'node:net'
import { StartError } from '../data-directory.ts'

/**
 * Whether an address is one of the operator's proxies, which are believed when they say whom they speak for.
 *
 * @throws StartError if one is neither an address nor a network like `10.0.0.0/8`
 */
export function trustedProxies(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits, more] = network.split('/')
    const family = isIP(address)
    const most = family === 4 ? 32 : 128
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (family === 0 || more !== undefined || prefix < 0 || prefix > most) {
      throw new StartError(
        `--trusted-proxies takes addresses and networks like 10.0.0.0/8, not ${JSON.stringify(network)}`,
      )
    }
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
    const family = isIP(plain)
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6')
  }
}
