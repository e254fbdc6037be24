/** What was found wrong about one send of one payload. */
export type Finding =
  /** Bytes that are no valid message reached the origin. */
  | 'invalid'
  /** More, or other, requests reached the origin than were sent and valid. */
  | 'extra'
  /** Reached the origin, or a browser was told so, though the policy forbids it. */
  | 'breach'
  /** Somebody got an answer that was not theirs, or a connection that could not be trusted was used again. */
  | 'poisoned'
  /** The client got something that is no valid response, or more than its answer. */
  | 'bad response'
  /** Valid, and did not arrive as it was sent. */
  | 'not passed'
  /** The proxy neither answered nor closed, or let an attack go on. */
  | 'hung'
  /** Under attack the proxy took more memory than the attack may cost. */
  | 'memory'
  /** Callers who had nothing to do with an attack got errors, or waited. */
  | 'others failed'
  | 'others slow';

export const FINDINGS: readonly Finding[] = [
  'invalid',
  'extra',
  'breach',
  'poisoned',
  'bad response',
  'not passed',
  'hung',
  'memory',
  'others failed',
  'others slow',
];

export interface Fault {
  readonly finding: Finding;
  readonly what: string;
}

/** One payload with all its sends. */
export interface Result {
  readonly id: string;
  readonly side:
    | 'request'
    | 'response'
    | 'policy'
    | 'http2-request'
    | 'http2-to-http2'
    | 'http2-over-tls'
    | 'http2-response'
    | 'flood';
  readonly kind: 'hostile' | 'odd';
  readonly group: string;
  /** First bytes of the payload, for people. */
  readonly shown: string;
  runs: number;
  readonly faults: Fault[];
}
