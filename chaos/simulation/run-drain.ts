import type { DrainAnswer } from '../../node/admin/drain-operations.ts'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

const LOOK_MS = 200
/** Leadership within 3 s and clients within 20, by a clock that may be slow. */
const PATIENCE_MS = 40_000

/**
 * R23: a node that an operator takes out of service, while clients write and nothing is broken, hands on
 * what it has and keeps no client; and takes clients again when it is put back.
 */
export class RunDrain {
  readonly #world: SimWorld
  readonly #node: SimNode
  #isDone = false
  #seen: DrainAnswer | null = null

  constructor(world: SimWorld, node: SimNode) {
    this.#world = world
    this.#node = node
  }

  get isOver(): boolean {
    return this.#isDone
  }

  begin(): void {
    this.#world.note(`${this.#node.name} is taken out of service`)
    this.#world.scheduler.after(PATIENCE_MS, null, () => this.#giveUp())
    this.#ask('node.drain', ({ phase, leads, clients }) => {
      return phase === 'drained' && !leads && clients === 0
    })
  }

  /** Of any node, again and again, until `isDone` with what the node says. */
  #ask(operation: 'node.drain' | 'node.undrain', isDone: (answer: DrainAnswer) => boolean): void {
    const { scheduler, operator } = this.#world
    const { name } = this.#node
    void operator.anyNode?.operate({ operation, node: name }).then((answer) => {
      if ('result' in answer) this.#seen = answer.result as DrainAnswer
      if (!('result' in answer) || !isDone(answer.result as DrainAnswer)) {
        scheduler.after(LOOK_MS, null, () => this.#ask(operation, isDone))
      } else if (operation === 'node.undrain') this.#isDone = true
      else this.#ask('node.undrain', ({ phase }) => phase === 'serving')
    })
  }

  #giveUp(): void {
    if (this.#isDone) return
    const { phase, leads, clients } = this.#seen ?? {}
    const seen = `${phase ?? 'nothing heard'}, ${clients} clients${leads === true ? ', leads' : ''}`
    const message = `${this.#node.name} is not taken out of service within ${PATIENCE_MS} ms: ${seen}`
    this.#world.fail(new PropertyViolation('R23', message))
  }
}
