/**
 * Bounds that the frame alone decides: both sides check them while decoding. A node may set lower
 * ones (it names them in `hello:A.limits`), never higher ones for the identifiers.
 */
export const LIMITS = {
  /** Bytes of a body as msgpack; the default that a node may change. */
  bodyBytes: 64 * 1024,
  /** Bytes of a conversation's `meta` as msgpack. */
  metaBytes: 16 * 1024,
  /** Bytes of one WebSocket message from a client. */
  messageBytes: 1024 * 1024,
  /** Frames in one WebSocket message. */
  framesPerMessage: 1024,
  /** Nesting of arrays and maps inside a body. */
  depth: 64,
  /** Events asked for by one `pull:R` or `sync:R`. */
  pageEvents: 1000,
  /** Members named by one `create`. */
  members: 1000,
  /** Cursors in one `ack:R`. */
  acks: 1000,
  msgIdLength: 64,
  deviceLength: 40,
  userLength: 128,
  conversationLength: 128,
  nameBytes: 256,
  reactionBytes: 64,
  tokenBytes: 8192,
} as const

/** The limits a decoder applies; a node takes its own from its settings. */
export interface DecodeLimits {
  readonly bodyBytes: number
  readonly metaBytes: number
}
