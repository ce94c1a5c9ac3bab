import { readJson, type Shape } from '#cluster'
import { type AdminProblem, adminProblem } from './admin-problem.ts'

class Misfit extends Error {}

/** What need not be given is `null`. */
export const nullable =
  <T>(of: Shape<T>): Shape<T | null> =>
  (value, path) =>
    value === undefined || value === null ? null : of(value, path)

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
