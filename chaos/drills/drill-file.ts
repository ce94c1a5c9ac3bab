import { z } from 'zod'
import { parseDuration } from '../../cli/duration.ts'
import { type Drill, type DrillStep, type Fault, FAULTS, type Mend, MENDS } from './drill.ts'

/** More than anybody waits for. */
const MOST_STEPS = 1_000
const LONGEST_HOLD_MS = 3_600_000
const NODE = /^(leader|follower|half|n[1-9])$/

const HOLD = z.string().transform((text, context) => {
  try {
    const ms = parseDuration(text)
    if (ms <= LONGEST_HOLD_MS) return ms
    context.addIssue('must be 1h at most')
  } catch {
    context.addIssue('must be a duration like 250ms, 10s or 5m')
  }
  return z.NEVER
})

const STEP = z
  .strictObject({
    do: z.enum([...FAULTS, ...MENDS]),
    node: z.string().regex(NODE, 'must be leader, follower, half, or a name like n2').optional(),
    oneWay: z.boolean().optional(),
    hold: HOLD.optional(),
  })
  .superRefine(({ do: verb, node, oneWay }, context) => {
    const mends = (MENDS as readonly string[]).includes(verb)
    if (!mends && node === undefined) context.addIssue(`${verb} needs a node`)
    if (mends && node !== undefined && !node.startsWith('n')) {
      context.addIssue(`${verb} takes a name like n2, or no node for all that it fits`)
    }
    if (verb === 'partition') return
    if (node === 'half') context.addIssue('half is for partition')
    if (oneWay !== undefined) context.addIssue('oneWay is for partition')
  })
  .transform(({ do: verb, node, oneWay, hold: holdMs }): DrillStep => {
    if (node === undefined) return { do: verb as Mend, holdMs }
    return { do: verb as Fault, node, oneWay, holdMs }
  })

const BLOCK = z.strictObject({
  repeat: z.int().min(1).max(MOST_STEPS),
  steps: z.array(STEP).min(1).max(MOST_STEPS),
})

const DRILL = z.strictObject({
  summary: z.string().min(1).max(200),
  nodes: z.int().min(3).max(9).optional(),
  steps: z.array(z.unknown()).min(1).max(MOST_STEPS),
})

/**
 * A drill as a file says it, in JSON. Keys that are not known are refused, so that a slip of the pen
 * is not a drill that proves less than its author thinks.
 *
 * @throws DrillFileError with every fault that was found
 */
export function readDrill(text: string): Drill {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new DrillFileError([`it is not JSON: ${(error as Error).message}`])
  }
  const { summary, nodes, steps: entries } = read(DRILL, json, [])
  const steps = entries.flatMap((entry, at): DrillStep[] => {
    const isBlock = typeof entry === 'object' && entry !== null && 'steps' in entry
    if (!isBlock) return [read(STEP, entry, ['steps', at])]
    const block = read(BLOCK, entry, ['steps', at])
    return Array.from({ length: block.repeat }, () => block.steps).flat()
  })
  if (steps.length > MOST_STEPS) {
    throw new DrillFileError([`it has ${steps.length} steps; ${MOST_STEPS} is the most`])
  }
  return { summary, nodes, steps }
}

/** Every one of `faults` is a sentence that begins with where it is. */
export class DrillFileError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('; '))
    this.faults = faults
  }
}

function read<T>(schema: z.ZodType<T>, value: unknown, path: readonly (string | number)[]): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new DrillFileError(
    result.error.issues.map((issue) => {
      const where = [...path, ...issue.path].join('.')
      return where === '' ? issue.message : `${where}: ${issue.message}`
    }),
  )
}
