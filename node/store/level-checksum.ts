/** LevelDB stores checksums rotated, so that a checksum over checksums stays meaningful. */
export function maskChecksum(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0
}
