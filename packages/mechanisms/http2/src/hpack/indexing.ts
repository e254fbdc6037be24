import { knownNameId } from '@tulle/fields';
import { PSEUDO_PATH } from './pseudo.ts';

/** Put it into the table, so that the next one is an index. */
export const INDEX = 1;
/** Leave the table alone. */
export const NO_INDEX = 2;
/** Leave the table alone, here and at every later hop (RFC 7541 §6.2.3): secrets. */
export const NEVER_INDEX = 3;
/** How a field is written that the table does not have yet. */
export type Indexing = typeof INDEX | typeof NO_INDEX | typeof NEVER_INDEX;

/*
 * What is done with a name's values where the caller says nothing. An entry costs others their place, so it should be used
 * again. Whether it will be is not known of most names: their first value is put in (then their name is an index as well),
 * another one when it comes twice in a row. So the values of one request after the other never empty the table, and the
 * constant ones are in it from the first request on.
 */
export const WHEN_SEEN_AGAIN = 0;
/** Their first value too only when it comes twice in a row: the name is in the static table. */
export const ONLY_SEEN_AGAIN = 1;
/** One value, for its name; the others differ with every message. */
export const NAME_ONLY = 2;
/** None: values differ with every message and the name is in the static table. */
export const NEVER_STORED = 3;
/** A secret (RFC 7541 §7.1.3): guessing it by its size must be impossible at every hop. */
export const SECRET = 4;
/** A secret when it is short enough to guess; session cookies are long, random and repeated. */
export const SECRET_WHEN_SHORT = 5;

/** Values of {@link SECRET_WHEN_SHORT} names up to this are never indexed: 19 octets of base64 are 114 bits. */
export const SHORT_SECRET_BYTES = 19;

const BY_NAME: readonly (readonly [kind: number, ...names: string[]])[] = [
  [
    NAME_ONLY,
    'traceparent',
    'tracestate',
    'b3',
    'x-b3-traceid',
    'x-b3-spanid',
    'x-b3-parentspanid',
    'x-amzn-trace-id',
    'x-request-id',
    'idempotency-key',
    'grpc-timeout',
    'grpc-message',
    'sec-websocket-key',
    'sec-websocket-accept',
    'server-timing',
    'x-envoy-upstream-service-time',
  ],
  [
    NEVER_STORED,
    'content-length',
    'content-range',
    'range',
    'age',
    'etag',
    'if-match',
    'if-none-match',
    'if-modified-since',
    'if-unmodified-since',
    'last-modified',
    'location',
    'set-cookie',
    'expires',
  ],
  [SECRET, 'authorization', 'proxy-authorization', 'x-api-key'],
  [SECRET_WHEN_SHORT, 'cookie'],
];

const KINDS: ReadonlyMap<number, number> = new Map(
  BY_NAME.flatMap(([kind, ...names]) => names.map((name): [number, number] => [knownNameId(name), kind])),
);

/** What is done with the values of a name. @param id known-name number, 0, or that of a pseudo-header */
export function kindOf(id: number): number {
  // a path may be one of a few, as gRPC's methods are, or one of millions
  return id === PSEUDO_PATH ? ONLY_SEEN_AGAIN : (KINDS.get(id) ?? WHEN_SEEN_AGAIN);
}
