/** What a client sends first (RFC 9113 §3.4). Shared: do not change it. */
export const CLIENT_PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Octets of a frame header (RFC 9113 §4.1). */
export const FRAME_HEADER_BYTES = 9;

// Frame types (RFC 9113 §6).
export const FRAME_DATA = 0;
export const FRAME_HEADERS = 1;
export const FRAME_PRIORITY = 2;
export const FRAME_RST_STREAM = 3;
export const FRAME_SETTINGS = 4;
export const FRAME_PUSH_PROMISE = 5;
export const FRAME_PING = 6;
export const FRAME_GOAWAY = 7;
export const FRAME_WINDOW_UPDATE = 8;
export const FRAME_CONTINUATION = 9;

// Flags (RFC 9113 §6).
export const FLAG_ACK = 0x1;
export const FLAG_END_STREAM = 0x1;
export const FLAG_END_HEADERS = 0x4;
export const FLAG_PADDED = 0x8;
export const FLAG_PRIORITY = 0x20;

// Settings (RFC 9113 §6.5.2; RFC 8441 §3; RFC 9218 §2.1).
export const SETTINGS_HEADER_TABLE_SIZE = 1;
export const SETTINGS_ENABLE_PUSH = 2;
export const SETTINGS_MAX_CONCURRENT_STREAMS = 3;
export const SETTINGS_INITIAL_WINDOW_SIZE = 4;
export const SETTINGS_MAX_FRAME_SIZE = 5;
export const SETTINGS_MAX_HEADER_LIST_SIZE = 6;
export const SETTINGS_ENABLE_CONNECT_PROTOCOL = 8;
export const SETTINGS_NO_RFC7540_PRIORITIES = 9;

// Error codes (RFC 9113 §7).
export const H2_NO_ERROR = 0;
export const H2_PROTOCOL_ERROR = 1;
export const H2_INTERNAL_ERROR = 2;
export const H2_FLOW_CONTROL_ERROR = 3;
export const H2_SETTINGS_TIMEOUT = 4;
export const H2_STREAM_CLOSED = 5;
export const H2_FRAME_SIZE_ERROR = 6;
export const H2_REFUSED_STREAM = 7;
export const H2_CANCEL = 8;
export const H2_COMPRESSION_ERROR = 9;
export const H2_CONNECT_ERROR = 10;
export const H2_ENHANCE_YOUR_CALM = 11;
export const H2_INADEQUATE_SECURITY = 12;
export const H2_HTTP_1_1_REQUIRED = 13;

const CODE_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

/** Name of an error code as RFC 9113 §7 spells it, `0x…` for others: for records and metrics. */
export function errorCodeName(code: number): string {
  return CODE_NAMES[code] ?? `0x${code.toString(16)}`;
}

/** Flow-control window before SETTINGS say otherwise (RFC 9113 §6.9.2). */
export const PROTOCOL_WINDOW_BYTES = 65_535;
/** Largest flow-control window (RFC 9113 §6.9.1), and the largest stream id. */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;
/** Largest stream id; also the last id of a first, graceful GOAWAY (RFC 9113 §6.8). */
export const MAX_STREAM_ID = 0x7fff_ffff;
/** Frame payload before SETTINGS say otherwise, and the smallest value that may be said (RFC 9113 §6.5.2). */
export const PROTOCOL_FRAME_BYTES = 16_384;
