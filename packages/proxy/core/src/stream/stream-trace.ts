/** The trace of a stream, as far as this proxy takes part in it; see `tracing.ts`. Reused with its stream. */
export class StreamTrace {
  /** Spans are made of the record. */
  sampled = false;
  /** `''` also where the record finds it in the request's `traceparent`. */
  traceId = '';
  /** Our own span where sampled, else the caller's. */
  spanId = '';
  parentSpanId = '';
  /** {@link spanId} is the caller's too. */
  shared = false;
  /** Of `traceparent`, where sampled. */
  flags = 0;
  state = '';
  /** What the other side calls the request; `''`: it does not say. */
  operation = '';

  reset(): void {
    this.operation = '';
    if (this.traceId === '') return;
    this.sampled = false;
    this.traceId = '';
    this.spanId = '';
    this.parentSpanId = '';
    this.shared = false;
    this.flags = 0;
    this.state = '';
  }
}
