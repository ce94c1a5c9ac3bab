import { writeSync } from 'node:fs'
import { type FailpointName, FAILPOINTS, type Failpoints } from '#cluster'
import { StartError } from '../data-directory.ts'

/**
 * Failpoints that end this process by SIGKILL, after a line about which one. The specification is `name=count`, separated by
 * commas: the count-th time the place is reached is the last.
 *
 * @throws StartError on a name that does not exist
 */
export class KillFailpoints implements Failpoints {
  readonly #left = new Map<FailpointName, number>()

  constructor(specification: string) {
    for (const part of specification.split(',').filter((text) => text !== '')) {
      const [name = '', count = '1'] = part.split('=')
      if (!Object.hasOwn(FAILPOINTS, name) || !/^[1-9]\d{0,8}$/.test(count)) {
        throw new StartError(
          `--unsafe-failpoints: "${part}" is not NAME=COUNT with one of ${Object.keys(FAILPOINTS).join(', ')}`,
        )
      }
      this.#left.set(name as FailpointName, Number(count))
    }
  }

  armed(name: FailpointName): boolean {
    return this.#left.get(name) === 1
  }

  hit(name: FailpointName): void {
    const left = this.#left.get(name)
    if (left === undefined) return
    this.#left.set(name, left - 1)
    if (left > 1) return
    writeSync(process.stderr.fd, `failpoint ${name}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
}
