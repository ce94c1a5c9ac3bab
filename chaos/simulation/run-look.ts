import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

/** Longer than nodes show again what they know, also by a clock that is slow. */
const AGAIN_MS = 10_000
/** Something may still be acknowledged: then nodes differ for good reasons. */
const MOST_TRIES = 4
/** With more rows of equal lag than are shown nodes may show others. */
const MOST_ROWS = 100

interface Said {
  readonly node: string
  readonly applied: number
  readonly total: number
  readonly rows: readonly string[]
}

/**
 * R25: operators who ask different nodes which users and conversations are furthest behind hear the same
 * of the same state, whether a node has it in memory, from its disk or from a snapshot.
 */
export class RunLook {
  readonly #world: SimWorld
  readonly #nodes: readonly SimNode[]
  #tries = 0
  /** Rows that were equal on all nodes. */
  compared = 0
  isOver = false

  constructor(world: SimWorld, nodes: readonly SimNode[]) {
    this.#world = world
    this.#nodes = nodes
  }

  begin(): void {
    this.#look(['user', 'conversation'])
  }

  #look([by, ...rest]: readonly string[]): void {
    if (by === undefined || this.#tries >= MOST_TRIES) {
      this.isOver = true
      return
    }
    const heard: (Said | null)[] = []
    for (const node of this.#nodes) {
      this.#ask(node, by, (said) => {
        heard.push(said)
        if (heard.length < this.#nodes.length) return
        if (this.#judge(by, heard)) this.#look(rest)
        else {
          this.#tries += 1
          this.#world.scheduler.after(AGAIN_MS, null, () => this.#look([by, ...rest]))
        }
      })
    }
  }

  /** `null`: there was no answer, or the node applied something meanwhile. */
  #ask(node: SimNode, by: string, done: (said: Said | null) => void): void {
    const { clients } = this.#world
    const before = node.parley?.state.appliedIndex ?? null
    const call = { method: 'GET', path: '/v1/cluster/lag', body: null }
    const query = `by=${by}&top=${MOST_ROWS}`
    clients.call('operator', node.clientAddress, { ...call, query }, (answer) => {
      if (answer?.status !== 200) {
        done(null)
        return
      }
      const { applied, isWhole, total, rows } = JSON.parse(answer.body) as {
        applied: number
        isWhole: boolean
        total: number
        rows: object[]
      }
      const texts = rows.map((row) => JSON.stringify(row)).sort()
      const isStill = isWhole && applied === before
      done(isStill ? { node: node.name, applied, total, rows: texts } : null)
    })
  }

  /** Whether there was anything to judge by. */
  #judge(by: string, heard: readonly (Said | null)[]): boolean {
    const [first, ...others] = heard.filter((said) => said !== null)
    if (first === undefined || others.length + 1 < heard.length) return false
    if (others.some(({ applied }) => applied !== first.applied)) return false
    if (first.total > MOST_ROWS) return true
    for (const other of others) {
      const at = first.rows.findIndex((row, i) => row !== other.rows[i])
      if (at < 0 && other.rows.length === first.rows.length) continue
      const seen = [first, other].map(({ node, rows }) => `${node}: ${rows[at] ?? 'nobody'}`)
      const message = `by ${by} at index ${first.applied} nodes tell different lags: ${seen.join('; ')}`
      this.#world.fail(new PropertyViolation('R25', message))
      return true
    }
    this.compared += first.rows.length
    return true
  }
}
