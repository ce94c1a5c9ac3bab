/** An input that once went through, cut down to what it takes. */
export interface Regression {
  readonly target: string
  /** What came of it. */
  readonly story: string
  readonly bytes: Uint8Array
}

const hex = (digits: string): Uint8Array => Buffer.from(digits, 'hex')
const text = (json: string): Uint8Array => Buffer.from(json)

/** Run by `fuzz.test.ts`, each of them, for good. */
export const REGRESSIONS: readonly Regression[] = [
  {
    target: 'client-json',
    story: 'a text that looked like a name of ours kept a node busy for minutes, before any hello',
    bytes: text(`["key${'_'.repeat(60_000)}","\\\\"]`),
  },
  {
    target: 'client-json',
    story: 'half of a surrogate pair was stored as bytes that are no UTF-8',
    bytes: text('{"t":"msg:R","id":"!","msgId":"c","body":"\\udfff","to":"C"}'),
  },
  {
    target: 'client-json',
    story: 'a refusal quoted what nobody can read',
    bytes: text('{"t":"\\ud800"}'),
  },
  {
    target: 'client-json',
    story: 'a refusal was longer than refusals may be',
    bytes: text(`{"t":"${'long'.repeat(5_000)}"}`),
  },
  {
    target: 'client-msgpack',
    story: 'of two types the first counted, or the last, as they stood',
    bytes: hex('84a174a56d73673a52a2696401a174a0a56d73674964a161'),
  },
  {
    target: 'client-msgpack',
    story: 'the deepest body was refused unless the type came first, and as JSON',
    // t, id, conv, msgId, then a body of three bytes in 64 arrays.
    bytes: hex(
      `85a174a56d73673a52a2696401a4636f6e76a163a56d73674964a16da4626f6479${'91'.repeat(64)}c403000000`,
    ),
  },
  {
    target: 'client-msgpack',
    story: 'an id of minus zero was answered as another',
    bytes: hex('83a174a670696e673a52a26964cb8000000000000000a5696e626f7801'),
  },
  {
    target: 'client-json',
    story: 'so did a version',
    bytes: text('{"t":"hello:R","id":"|","v":[-0,2],"device":"y"}'),
  },
  {
    target: 'peer-hello',
    story: 'a peer spoke versions up to infinity',
    bytes: text(
      '{"protocol":{"min":0,"max":1e999},"clusterId":"","epoch":"","raftId":"6f23c37ae2aeac68","name":""}',
    ),
  },
  {
    target: 'forward',
    story: 'a forwarded operation that nobody knows went into the log, to stop every node for good',
    bytes: hex(
      '2a00000002010000000000000000040500616c6963650570686f6e65026d39020063310000000000000000000000',
    ),
  },
  {
    target: 'store-value',
    story: 'five bytes made room for as many extents as they named',
    bytes: hex('78aade1800'),
  },
  {
    target: 'store-value',
    story: 'more extents than an array can have',
    bytes: hex('78ffffffffffffff0f'),
  },
]
