import type { ErrorCode } from '@tulle/filter';
import type { HpackRule } from './hpack/faults.ts';
import { HPACK_FAULTS } from './hpack/faults.ts';
import {
  H2_COMPRESSION_ERROR,
  H2_ENHANCE_YOUR_CALM,
  H2_FLOW_CONTROL_ERROR,
  H2_FRAME_SIZE_ERROR,
  H2_NO_ERROR,
  H2_PROTOCOL_ERROR,
  H2_STREAM_CLOSED,
} from './wire.ts';

/**
 * What breaking a rule costs. `connection`: GOAWAY, and the connection ends. `stream`: RST_STREAM. `answer`: a
 * request gets `status`, and nothing is reset; a response gets RST_STREAM.
 */
export type FaultScope = 'connection' | 'stream' | 'answer';

/** A rule that the peer broke. Frozen and shared: reporting one allocates nothing. */
export interface Http2Fault {
  /** Stable name of the rule, for records, metrics and tests. */
  readonly rule: Http2Rule;
  readonly scope: FaultScope;
  /** Error code sent in GOAWAY or RST_STREAM (RFC 9113 §7). */
  readonly h2Code: number;
  /** Row of the error table: of the caller's fault at a server, always `TULLE_UPSTREAM_PROTOCOL` at a client. */
  readonly code: ErrorCode;
  /** Status for the answer or the record: 400, 414, 417, 431, 501; 502 at a client. */
  readonly status: number;
  /** One sentence: what is wrong, and what would be right. */
  readonly reason: string;
}

type Row = Omit<Http2Fault, 'rule'>;

const row = (scope: FaultScope, h2Code: number, status: number, code: ErrorCode, reason: string): Row => ({
  scope,
  h2Code,
  code,
  status,
  reason,
});
const connection = (h2Code: number, reason: string): Row =>
  row('connection', h2Code, 400, 'TULLE_DOWNSTREAM_PROTOCOL', reason);
const flood = (reason: string): Row => connection(H2_ENHANCE_YOUR_CALM, reason);
const stream = (h2Code: number, reason: string): Row =>
  row('stream', h2Code, 400, 'TULLE_DOWNSTREAM_PROTOCOL', reason);
const malformed = (reason: string): Row => stream(H2_PROTOCOL_ERROR, reason);
const answer = (status: number, code: ErrorCode, reason: string): Row =>
  row('answer', H2_PROTOCOL_ERROR, status, code, reason);
const bad = (reason: string): Row => answer(400, 'TULLE_DOWNSTREAM_PROTOCOL', reason);

const ROWS: Readonly<Record<OwnRule, Row>> = {
  // frames: the connection cannot go on
  preface: connection(
    H2_PROTOCOL_ERROR,
    'The connection does not begin with the HTTP/2 preface "PRI * HTTP/2.0" (RFC 9113 §3.4).',
  ),
  'first-frame': connection(
    H2_PROTOCOL_ERROR,
    'The first frame is not SETTINGS without ACK (RFC 9113 §3.4).',
  ),
  'frame-size': connection(
    H2_FRAME_SIZE_ERROR,
    'A frame is longer than SETTINGS_MAX_FRAME_SIZE, or has not the length of its type (RFC 9113 §4.2).',
  ),
  'frame-stream': connection(
    H2_PROTOCOL_ERROR,
    'A frame of the connection names a stream, or a frame of a stream names none (RFC 9113 §6).',
  ),
  'stream-id': connection(
    H2_PROTOCOL_ERROR,
    'A new stream has an even id, or one not above all before it (RFC 9113 §5.1.1).',
  ),
  'stream-idle': connection(
    H2_PROTOCOL_ERROR,
    'A frame names a stream that was never opened (RFC 9113 §5.1).',
  ),
  'stream-over': connection(
    H2_STREAM_CLOSED,
    'HEADERS or DATA came on a stream that both sides had ended (RFC 9113 §5.1).',
  ),
  'continuation-missing': connection(
    H2_PROTOCOL_ERROR,
    'Another frame stands in the middle of a header block (RFC 9113 §4.3).',
  ),
  'continuation-alone': connection(
    H2_PROTOCOL_ERROR,
    'CONTINUATION came without a header block that it continues (RFC 9113 §6.10).',
  ),
  padding: connection(H2_PROTOCOL_ERROR, 'The padding is as long as the frame or longer (RFC 9113 §6.1).'),
  'push-promise': connection(
    H2_PROTOCOL_ERROR,
    'PUSH_PROMISE came, which SETTINGS_ENABLE_PUSH 0 or the role of the sender forbids (RFC 9113 §6.6).',
  ),
  setting: connection(H2_PROTOCOL_ERROR, 'A setting has a value that it may not have (RFC 9113 §6.5.2).'),
  'setting-window': connection(
    H2_FLOW_CONTROL_ERROR,
    'SETTINGS_INITIAL_WINDOW_SIZE is above 2^31-1, or makes the window of a stream so (RFC 9113 §6.9.2).',
  ),
  'window-zero': connection(H2_PROTOCOL_ERROR, 'WINDOW_UPDATE adds 0 to the connection (RFC 9113 §6.9).'),
  'window-overflow': connection(
    H2_FLOW_CONTROL_ERROR,
    "The connection's window is above 2^31-1 (RFC 9113 §6.9.1).",
  ),
  'flow-control': connection(
    H2_FLOW_CONTROL_ERROR,
    "DATA is larger than the connection's window (RFC 9113 §6.9.1).",
  ),
  // floods
  'ping-flood': flood('PING came more often than pingFlood allows.'),
  'settings-flood': flood(
    'SETTINGS came more often than settingsFlood allows, or with more than 64 entries.',
  ),
  'reset-flood': flood('The peer resets its own streams more often than resetFlood allows (CVE-2023-44487).'),
  'stream-error-flood': flood(
    'The peer provokes stream errors more often than streamErrorFlood allows (CVE-2025-8671).',
  ),
  'empty-data-flood': flood('DATA frames without content came more often than emptyDataFlood allows.'),
  'useless-flood': flood(
    'PRIORITY, unknown frames or frames on closed streams came more often than uselessFlood allows.',
  ),
  'window-update-flood': flood('WINDOW_UPDATE came more often than windowUpdateFlood allows.'),
  'header-block-size': flood(
    'A header block is larger than maxHeaderBlockBytes, or has more CONTINUATION frames than maxContinuations (CVE-2024-27316).',
  ),
  'unread-replies': flood(
    'The peer does not read: more than maxOutputBytes of heads and control frames wait for it.',
  ),
  // the owner's
  'settings-timeout': connection(4, 'Our SETTINGS were not acknowledged in time (RFC 9113 §6.5.3).'),
  closed: connection(H2_NO_ERROR, 'The peer closed the connection.'),
  // streams
  'stream-closed': stream(
    H2_STREAM_CLOSED,
    'A frame came on a stream whose side of the peer had ended, or that it had reset (RFC 9113 §5.1).',
  ),
  'stream-flow-control': stream(
    H2_FLOW_CONTROL_ERROR,
    "DATA is larger than the stream's window, or the window grew above 2^31-1 (RFC 9113 §6.9.1).",
  ),
  'stream-window-zero': malformed('WINDOW_UPDATE adds 0 to a stream (RFC 9113 §6.9).'),
  'priority-size': stream(H2_FRAME_SIZE_ERROR, 'PRIORITY has not five octets (RFC 9113 §6.3).'),
  'self-dependency': malformed('A stream depends on itself (RFC 7540 §5.3.1).'),
  'field-name': malformed('A field name is empty, not a token, or has upper-case letters (RFC 9113 §8.2.1).'),
  'field-value': malformed(
    'A field value has a control character, or a blank at its start or end (RFC 9113 §8.2.1).',
  ),
  'connection-field': malformed(
    'Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding and Upgrade belong to HTTP/1 (RFC 9113 §8.2.2).',
  ),
  te: malformed('TE has a value other than "trailers" (RFC 9113 §8.2.2).'),
  'pseudo-unknown': malformed(
    'A pseudo-header is unknown, or belongs to the other kind of message, or to a head and not to trailers (RFC 9113 §8.3).',
  ),
  'pseudo-repeated': malformed('A pseudo-header is there more than once (RFC 9113 §8.3).'),
  'pseudo-late': malformed('A pseudo-header stands behind a field line (RFC 9113 §8.3).'),
  'pseudo-missing': malformed(
    'A pseudo-header is missing or empty: :method, :scheme and :path of a request, :authority of CONNECT, :status of a response (RFC 9113 §8.3).',
  ),
  'pseudo-connect': malformed(
    'CONNECT has :scheme or :path without :protocol, or :protocol came without CONNECT or without the setting that permits it (RFC 9113 §8.5, RFC 8441 §4).',
  ),
  'method-token': malformed('The method is not a token (RFC 9110 §9.1).'),
  'host-repeated': malformed('Host is there more than once (RFC 9110 §7.2).'),
  length: malformed('Content-Length is not one plain decimal number up to 2^53-1 (RFC 9110 §8.6).'),
  'length-repeated': malformed('Content-Length is there more than once (RFC 9110 §8.6).'),
  'length-differs': malformed('The DATA is more or less than Content-Length says (RFC 9113 §8.1.1).'),
  'trailers-open': malformed('A second HEADERS came without END_STREAM (RFC 9113 §8.1).'),
  'trailer-size': stream(
    H2_ENHANCE_YOUR_CALM,
    'The trailer section is larger than maxTrailerBytes or has more lines than maxTrailers.',
  ),
  status: malformed('The status is not three digits between 100 and 599, or is 101 (RFC 9113 §8.3.2, §8.6).'),
  'data-early': malformed('DATA came before the head (RFC 9113 §8.1).'),
  'informational-end': malformed('An interim response ends the stream (RFC 9113 §8.1).'),
  'informational-flood': malformed(
    'More interim (1xx) responses than maxInformational came before the final one.',
  ),
  'body-unexpected': malformed('Content came where none can be: after HEAD, 204 or 304 (RFC 9110 §6.4.1).'),
  // answered
  'head-size': answer(431, 'TULLE_HEADERS_TOO_LARGE', 'The head is larger than maxHeadBytes.'),
  'head-lines': answer(431, 'TULLE_HEADERS_TOO_LARGE', 'The head has more field lines than maxHeaders.'),
  'uri-length': answer(414, 'TULLE_URI_TOO_LONG', 'The path is longer than maxUriBytes.'),
  'method-unknown': answer(
    501,
    'TULLE_DOWNSTREAM_PROTOCOL',
    'The method is not a registered one; allowCustomMethods lets others pass (RFC 9110 §9.1).',
  ),
  target: bad(
    'The path has a character that must be percent-encoded, or a form that this method does not take.',
  ),
  'target-scheme': bad('The scheme is neither http nor https.'),
  'target-authority': bad('The authority is not host[:port] (RFC 9110 §4.2; user names are refused).'),
  'host-missing': bad('The request has neither :authority nor Host (RFC 9113 §8.3.1).'),
  host: bad('Host is not a single host[:port] (RFC 9110 §7.2).'),
  'host-disagrees': bad(
    'Host differs from :authority; which one a later hop would believe is unknown (RFC 9113 §8.3.1).',
  ),
  expect: answer(417, 'TULLE_EXPECTATION_FAILED', 'The only expectation is 100-continue (RFC 9110 §10.1.1).'),
  'body-forbidden': bad('This method takes no content, and content was announced (RFC 9110 §9.3.6, §9.3.8).'),
};

/** Name of a rule. */
export type Http2Rule = OwnRule | HpackRule;

type OwnRule =
  | 'preface'
  | 'first-frame'
  | 'frame-size'
  | 'frame-stream'
  | 'stream-id'
  | 'stream-idle'
  | 'stream-over'
  | 'continuation-missing'
  | 'continuation-alone'
  | 'padding'
  | 'push-promise'
  | 'setting'
  | 'setting-window'
  | 'window-zero'
  | 'window-overflow'
  | 'flow-control'
  | 'ping-flood'
  | 'settings-flood'
  | 'reset-flood'
  | 'stream-error-flood'
  | 'empty-data-flood'
  | 'useless-flood'
  | 'window-update-flood'
  | 'header-block-size'
  | 'unread-replies'
  | 'settings-timeout'
  | 'closed'
  | 'stream-closed'
  | 'stream-flow-control'
  | 'stream-window-zero'
  | 'priority-size'
  | 'self-dependency'
  | 'field-name'
  | 'field-value'
  | 'connection-field'
  | 'te'
  | 'pseudo-unknown'
  | 'pseudo-repeated'
  | 'pseudo-late'
  | 'pseudo-missing'
  | 'pseudo-connect'
  | 'method-token'
  | 'host-repeated'
  | 'length'
  | 'length-repeated'
  | 'length-differs'
  | 'trailers-open'
  | 'trailer-size'
  | 'status'
  | 'data-early'
  | 'informational-end'
  | 'informational-flood'
  | 'body-unexpected'
  | 'head-size'
  | 'head-lines'
  | 'uri-length'
  | 'method-unknown'
  | 'target'
  | 'target-scheme'
  | 'target-authority'
  | 'host-missing'
  | 'host'
  | 'host-disagrees'
  | 'expect'
  | 'body-forbidden';

const table = (client: boolean): Readonly<Record<Http2Rule, Http2Fault>> => {
  const rows: [string, Row][] = Object.entries(ROWS);
  for (const fault of Object.values(HPACK_FAULTS))
    rows.push([fault.rule, connection(H2_COMPRESSION_ERROR, fault.reason)]);
  return Object.freeze(
    Object.fromEntries(
      rows.map(([rule, it]) => [
        rule,
        Object.freeze(
          client
            ? {
                ...it,
                rule,
                scope: it.scope === 'answer' ? 'stream' : it.scope,
                code: 'TULLE_UPSTREAM_PROTOCOL',
                status: 502,
              }
            : { ...it, rule },
        ),
      ]),
    ) as unknown as Record<Http2Rule, Http2Fault>,
  );
};

/** The rules as a server reports them: broken by a client. */
export const SERVER_FAULTS: Readonly<Record<Http2Rule, Http2Fault>> = table(false);
/** The same rules, broken by an origin: always 502 and `TULLE_UPSTREAM_PROTOCOL`. */
export const CLIENT_FAULTS: Readonly<Record<Http2Rule, Http2Fault>> = table(true);
