import type { EncodeFault } from '@tulle/http1';

const fault = (
  rule: EncodeFault['rule'],
  reason: string,
  code: EncodeFault['code'] = 'TULLE_HEADER_INVALID',
): EncodeFault => Object.freeze({ rule, code, reason });

export const BAD_METHOD: EncodeFault = fault('method', 'The outgoing method is not a token (RFC 9110 §9.1).');
export const BAD_TARGET: EncodeFault = fault(
  'target',
  'The outgoing target is no path with query, or has a character that must be percent-encoded (RFC 9113 §8.3.1).',
);
export const BAD_AUTHORITY: EncodeFault = fault(
  'authority',
  'The outgoing authority is not host[:port] (RFC 9113 §8.3.1), with a port for CONNECT.',
);
export const BAD_STATUS: EncodeFault = fault(
  'status',
  'The outgoing status is not between 200 and 599, or between 100 and 199 but 101 for an interim response.',
);
export const BAD_FRAMING: EncodeFault = fault(
  'framing',
  'The head does not fit: it is written already, or its length is no whole number.',
);
export const BAD_UPGRADE: EncodeFault = fault(
  'upgrade',
  'Extended CONNECT needs a protocol, and a peer that announced SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3).',
);
export const TOO_LARGE: EncodeFault = fault(
  'size',
  'The head is larger than the peer says that it takes (RFC 9113 §6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE).',
  'TULLE_HEADERS_TOO_LARGE',
);
