/** The port through which a node fetches the keys that an identity provider publishes. */
export interface KeyDocument {
  /** For logs: where it is. */
  readonly name: string
  /** Rejects if it is not there within a few seconds, or is longer than a few keys are. */
  read(): Promise<string>
}
