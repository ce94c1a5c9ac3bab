import type { Socket } from 'node:net'

/**
 * One direction of a relayed connection: what comes out of `source` goes into `sink`, byte by byte.
 * While it is held nothing gets through, not even the news that the source has closed, and nothing
 * is taken from the source either: what it says piles up at whoever says it.
 */
export class OneWay {
  readonly #source: Socket
  #isHeld = false
  #isFull = false
  /** What the sink is to be told once nothing holds it up any more. */
  #news: (() => void) | null = null

  constructor(source: Socket, sink: Socket) {
    this.#source = source
    source.on('data', (bytes) => {
      this.#isFull = !sink.write(bytes)
      if (this.#isFull) source.pause()
    })
    sink.on('drain', () => {
      this.#isFull = false
      this.#flow()
    })
    source.on('end', () => this.#tell(() => sink.end()))
    source.on('close', (hadError) =>
      this.#tell(() => (hadError ? sink.destroy() : sink.destroySoon())),
    )
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#flow()
    const news = this.#news
    if (isHeld || news === null) return
    this.#news = null
    news()
  }

  #flow(): void {
    if (this.#isHeld || this.#isFull) this.#source.pause()
    else this.#source.resume()
  }

  #tell(news: () => void): void {
    if (this.#isHeld) this.#news = news
    else news()
  }
}
