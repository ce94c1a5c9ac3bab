import { encodeValue } from './body-codec.ts'
import type { Frame } from './frames.ts'

/**
 * A frame of the client's own making, written as it stands: it has the fields of the schema and no
 * others, and what is bytes in it is an opaque value. In memory of its own.
 */
export const encodePlainFrame = (frame: Frame): Uint8Array => encodeValue(frame, frame.t, null)
