/** A whole request that an origin got, of either version. */
export interface RecordedRequest {
  readonly startLine: string;
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

/** An origin, of which requests that carry a mark can be asked. */
export interface Recorder {
  /** In the order in which they were whole. */
  seen(mark: string): readonly RecordedRequest[];
}
