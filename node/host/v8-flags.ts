import v8 from 'node:v8'

/**
 * Collects young objects on the main thread alone. The young generation is small and little of it
 * survives, so helpers save nothing; but with more threads than cores one that was put to sleep in
 * the middle of its share holds up the whole node (`bench/README.md`, Growth).
 */
export function setV8Flags(): void {
  v8.setFlagsFromString('--no-parallel-scavenge')
}
