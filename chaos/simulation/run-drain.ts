import type { DrainAnswer } from '../../node/admin/drain-operations.ts'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

const LOOK_MS = 200
/** Leadership within 3 s, clients within 20, and a call that gets no answer within 10. */
const PATIENCE_MS = 60_000

/**
 * R23: a node that an operator takes out of service, while clients write and nothing is broken, hands on
 * what it has and keeps no client; and takes clients again when it is put back.
 */
export class RunDrain {
  readonly #world: SimWorld
  readonly #node: SimNode
  #isDone = false
  #seen: DrainAnswer | null = null
  #asked = 0

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

  /** Of one member after the other, again and again, until `isDone` with what the node says. */
  #ask(operation: 'node.drain' | 'node.undrain', isDone: (answer: DrainAnswer) => boolean): void {
    const { scheduler, members } = this.#world
    const able = members.filter(({ parley }) => (parley?.replica ?? null) !== null)
    const node = able[this.#asked++ % Math.max(1, able.length)]
    const asked = node?.parley ?? null
    let isHeard = false
    const next = () => {
      if (isHeard && this.#seen !== null && isDone(this.#seen)) {
        if (operation === 'node.undrain') this.#isDone = true
        else this.#ask('node.undrain', ({ phase }) => phase === 'serving')
        return
      }
      // Whoever ended meanwhile will not answer.
      if (isHeard || asked === null || node?.parley !== asked) this.#ask(operation, isDone)
      else scheduler.after(LOOK_MS, null, next)
    }
    scheduler.after(LOOK_MS, null, next)
    void asked?.operate({ operation, node: this.#node.name }).then((answer) => {
      isHeard = true
      this.#seen = 'result' in answer ? (answer.result as DrainAnswer) : null
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
