import { readJson, type Shape } from '#cluster'
import { type AdminProblem, adminProblem } from './admin-problem.ts'

class Misfit extends Error {}

/** What an operation was given, checked; or why it cannot be done with that. */
export function readParameters<T>(
  given: unknown,
  shape: Shape<T>,
): { readonly parameters: T } | { readonly problem: AdminProblem } {
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(given))
    return { parameters: readJson(bytes, shape, (why) => new Misfit(why)) }
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    return { problem: adminProblem('INVALID_MESSAGE', error.message) }
  }
}
