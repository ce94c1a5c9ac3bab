import { NodeFileSystem } from '../host/node-file-system.ts'

/** A process that ends after so many of its operations: it does nothing more. */
export class EndingFileSystem extends NodeFileSystem {
  operations = 0
  readonly #changes = ['makeDirectory', 'open', 'rename', 'remove', 'removeDirectory'] as const

  constructor(last: number) {
    super()
    for (const name of [...this.#changes, 'syncDirectory'] as const) {
      const real = this[name].bind(this) as (...args: unknown[]) => Promise<unknown>
      Object.assign(this, {
        [name]: async (...args: unknown[]) => {
          if (this.operations >= last) throw new Error('the process ended')
          this.operations += 1
          return real(...args)
        },
      })
    }
  }

  // The real one would outlive the process that is played here.
  override async lock(): Promise<() => Promise<void>> {
    return async () => undefined
  }
}
