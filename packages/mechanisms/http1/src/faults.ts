import type { ErrorCode } from '@tulle/filter';

/** A rule that a message broke. Frozen and shared: reporting one allocates nothing. */
export interface Http1Fault {
  /** Stable name of the rule, for records, metrics and tests. */
  readonly rule: Http1Rule;
  /** Row of the error table for the side that reads requests; a broken response is always `TULLE_UPSTREAM_PROTOCOL`. */
  readonly code: ErrorCode;
  /** Status for the answer: 400, 413, 414, 417, 431, 501, 505, or 502 when a response broke it. */
  readonly status: number;
  /** One sentence: what is wrong, and what would be right. */
  readonly reason: string;
}

const rule = (status: number, code: ErrorCode, reason: string): Omit<Http1Fault, 'rule'> => ({
  status,
  code,
  reason,
});
const bad = (reason: string): Omit<Http1Fault, 'rule'> => rule(400, 'TULLE_DOWNSTREAM_PROTOCOL', reason);
const upstream = (reason: string): Omit<Http1Fault, 'rule'> => rule(502, 'TULLE_UPSTREAM_PROTOCOL', reason);

const ROWS: Readonly<Record<Http1Rule, Omit<Http1Fault, 'rule'>>> = {
  // start line
  'request-line': bad('The request line is not "METHOD SP target SP HTTP/1.1 CRLF" (RFC 9112 §3).'),
  method: bad('The method is not a token (RFC 9110 §9.1).'),
  'method-unknown': rule(
    501,
    'TULLE_DOWNSTREAM_PROTOCOL',
    'The method is not a registered one; allowCustomMethods lets others pass (RFC 9110 §9.1).',
  ),
  target: bad(
    'The request target has a character that must be percent-encoded, or a form that this method does not take (RFC 9112 §3.2).',
  ),
  'target-escape': bad('The request target has a % that two hex digits do not follow (RFC 3986 §2.1).'),
  'target-fragment': bad('The request target has a fragment (#), which is never sent (RFC 9112 §3.2).'),
  'target-authority': bad(
    'The authority in the request target is not host[:port] (RFC 9110 §4.2; user names are refused).',
  ),
  'target-scheme': bad('The request target has a scheme other than http or https.'),
  'uri-length': rule(414, 'TULLE_URI_TOO_LONG', 'The request target is longer than maxUriBytes.'),
  version: bad('The protocol version is not HTTP/1.1 or HTTP/1.0 as RFC 9112 §2.3 spells it.'),
  'version-unsupported': rule(
    505,
    'TULLE_VERSION_UNSUPPORTED',
    'Only HTTP/1.1 and HTTP/1.0 are spoken here.',
  ),
  'http2-preface': rule(
    505,
    'TULLE_VERSION_UNSUPPORTED',
    'The client speaks HTTP/2 with prior knowledge; this listener speaks HTTP/1.',
  ),
  'status-line': upstream('The status line is not "HTTP/1.1 SP 3DIGIT SP reason CRLF" (RFC 9112 §4).'),
  status: upstream('The status code is not between 100 and 599 (RFC 9110 §15).'),
  // lines
  'line-end': bad(
    'A line ends with LF alone, or CR stands without LF: lines end with CR LF (RFC 9112 §2.2).',
  ),
  'field-name': bad('A field name is empty or not a token (RFC 9110 §5.6.2).'),
  'field-name-space': bad('Blanks stand before the colon of a field line (RFC 9112 §5.1).'),
  'field-value': bad('A field value has a control character (RFC 9110 §5.5).'),
  'obs-fold': bad('A field line begins with a blank: line folding is obsolete (RFC 9112 §5.2).'),
  'head-size': rule(431, 'TULLE_HEADERS_TOO_LARGE', 'The head is larger than maxHeadBytes.'),
  'head-lines': rule(431, 'TULLE_HEADERS_TOO_LARGE', 'The head has more field lines than maxHeaders.'),
  // host
  'host-missing': bad('An HTTP/1.1 request has no Host (RFC 9112 §3.2).'),
  'host-repeated': bad('Host is there more than once (RFC 9112 §3.2).'),
  host: bad('Host is not a single host[:port] (RFC 9110 §7.2).'),
  'host-disagrees': bad(
    'Host differs from the authority in the request target; which one a later hop would believe is unknown.',
  ),
  // framing
  length: bad('Content-Length is not one plain decimal number (RFC 9112 §6.2).'),
  'length-repeated': bad('Content-Length is there more than once (RFC 9112 §6.3).'),
  'length-overflow': bad('Content-Length is above 2^53-1.'),
  'length-and-coding': bad(
    'Content-Length and Transfer-Encoding are both there: a smuggling attempt (RFC 9112 §6.1).',
  ),
  coding: bad('Transfer-Encoding is not exactly "chunked" (RFC 9112 §6.1).'),
  'coding-unknown': rule(
    501,
    'TULLE_DOWNSTREAM_PROTOCOL',
    'Transfer-Encoding names a coding other than chunked, which this proxy does not implement (RFC 9112 §6.1).',
  ),
  'coding-repeated': bad('Transfer-Encoding is there more than once.'),
  'coding-version': bad(
    'Transfer-Encoding in an HTTP/1.0 message: its framing cannot be trusted (RFC 9112 §6.1).',
  ),
  'body-forbidden': bad(
    'This method or status takes no content, and content was announced (RFC 9110 §9.3.6, §9.3.8, §8.6).',
  ),
  connection: bad('Connection is not a list of tokens (RFC 9110 §7.6.1).'),
  upgrade: bad('Upgrade is not a list of protocols (RFC 9110 §7.8).'),
  expect: rule(417, 'TULLE_EXPECTATION_FAILED', 'The only expectation is 100-continue (RFC 9110 §10.1.1).'),
  // chunked
  'chunk-size': bad('A chunk size is not 1 to 16 hex digits (RFC 9112 §7.1).'),
  'chunk-size-overflow': bad('A chunk is larger than 2^53-1 bytes.'),
  'chunk-extension': bad(
    'A chunk extension is not ";name" or ";name=value" without blanks (RFC 9112 §7.1.1).',
  ),
  'chunk-extension-size': rule(
    413,
    'TULLE_DOWNSTREAM_PROTOCOL',
    'The chunk extensions of the body are larger than maxChunkExtensionBytes.',
  ),
  'chunk-end': bad(
    'CR LF is missing after the data of a chunk: more or less data than its size says (RFC 9112 §7.1).',
  ),
  'trailer-field': bad(
    'A trailer is one of the fields that may not be sent after the body (RFC 9110 §6.5.1).',
  ),
  'trailer-size': rule(
    431,
    'TULLE_HEADERS_TOO_LARGE',
    'The trailer section is larger than maxTrailerBytes or has more lines than maxTrailers.',
  ),
  // ends
  truncated: bad('The connection closed in the middle of the message.'),
  'response-unasked': upstream('Bytes came on a connection on which no request waits for a response.'),
  'response-informational': upstream(
    'More interim (1xx) responses than maxInformational came before the final one.',
  ),
  'response-switch': upstream('101 came without an Upgrade that was asked for (RFC 9110 §7.8).'),
};

/** Name of a rule. */
export type Http1Rule =
  | 'request-line'
  | 'method'
  | 'method-unknown'
  | 'target'
  | 'target-escape'
  | 'target-fragment'
  | 'target-authority'
  | 'target-scheme'
  | 'uri-length'
  | 'version'
  | 'version-unsupported'
  | 'http2-preface'
  | 'status-line'
  | 'status'
  | 'line-end'
  | 'field-name'
  | 'field-name-space'
  | 'field-value'
  | 'obs-fold'
  | 'head-size'
  | 'head-lines'
  | 'host-missing'
  | 'host-repeated'
  | 'host'
  | 'host-disagrees'
  | 'length'
  | 'length-repeated'
  | 'length-overflow'
  | 'length-and-coding'
  | 'coding'
  | 'coding-unknown'
  | 'coding-repeated'
  | 'coding-version'
  | 'body-forbidden'
  | 'connection'
  | 'upgrade'
  | 'expect'
  | 'chunk-size'
  | 'chunk-size-overflow'
  | 'chunk-extension'
  | 'chunk-extension-size'
  | 'chunk-end'
  | 'trailer-field'
  | 'trailer-size'
  | 'truncated'
  | 'response-unasked'
  | 'response-informational'
  | 'response-switch';

const table = (response: boolean): Readonly<Record<Http1Rule, Http1Fault>> =>
  Object.freeze(
    Object.fromEntries(
      Object.entries(ROWS).map(([name, row]) => [
        name,
        Object.freeze(
          response
            ? { rule: name, code: 'TULLE_UPSTREAM_PROTOCOL', status: 502, reason: row.reason }
            : { rule: name, ...row },
        ),
      ]),
    ) as Record<Http1Rule, Http1Fault>,
  );

/** The rules as they are reported to a client. */
export const REQUEST_FAULTS: Readonly<Record<Http1Rule, Http1Fault>> = table(false);
/** The same rules, broken by an upstream: always 502 and `TULLE_UPSTREAM_PROTOCOL`. */
export const RESPONSE_FAULTS: Readonly<Record<Http1Rule, Http1Fault>> = table(true);
