import type { InboxAck, PushCommand } from './commands.ts'
import type { PushSubscription } from './types.ts'

type Device = { -readonly [K in keyof PushSubscription]: PushSubscription[K] }

/** Rule B9 written down a second time, over plain lists. */
export class ModelPush {
  readonly #devices = new Map<string, Device[]>()

  of(user: string): readonly Device[] {
    return this.#devices.get(user) ?? []
  }

  /** The number that the device is called for, of a claim; `head` is that of the user's inbox. */
  apply({ operation }: PushCommand, head: number): number {
    const { account, ofDevice } = operation
    const list = this.#devices.get(account) ?? []
    this.#devices.set(account, list)
    const at = list.findIndex(({ device }) => device === ofDevice)
    const device = list[at]
    switch (operation.op) {
      case 'subscribe':
        if (device !== undefined) device.target = operation.target
        else list.push({ device: ofDevice, target: operation.target, told: head, claim: 'none' })
        return 0
      case 'unsubscribe':
        if (device === undefined) return 0
        if (operation.endpoint === null || operation.endpoint === device.target.endpoint) {
          list.splice(at, 1)
        }
        return 0
      case 'claim':
        if (device === undefined) return 0
        if (device.claim === 'none' && operation.inbox > device.told) {
          device.told = operation.inbox
          device.claim = 'claimed'
        }
        return device.claim === 'none' ? 0 : device.told
      case 'done':
        if (device?.claim === 'claimed' && device.told === operation.inbox) device.claim = 'done'
        return 0
      case 'seen':
        if (device !== undefined) device.claim = 'none'
        return 0
    }
  }

  forget(user: string, ofDevice: string | null): void {
    const kept = this.of(user).filter(({ device }) => ofDevice !== null && device !== ofDevice)
    this.#devices.set(user, kept)
  }

  acked({ user, device, inbox }: InboxAck): void {
    const found = this.#devices.get(user)?.find((each) => each.device === device)
    if (found !== undefined && inbox >= found.told) found.claim = 'none'
  }
}
