/** A rule of RFC 7541 that a header block broke: always a connection error COMPRESSION_ERROR (RFC 9113 §4.3). Frozen and shared. */
export interface HpackFault {
  /** Stable name of the rule, for records, metrics and tests. */
  readonly rule: HpackRule;
  /** One sentence: what is wrong, and what would be right. */
  readonly reason: string;
}

/** Name of a rule. */
export type HpackRule =
  | 'hpack-truncated'
  | 'hpack-integer'
  | 'hpack-index'
  | 'hpack-huffman'
  | 'hpack-size-update'
  | 'hpack-size-update-late'
  | 'hpack-size-update-missing';

const REASONS: Readonly<Record<HpackRule, string>> = {
  'hpack-truncated': 'The header block ends in the middle of a field (RFC 7541 §5, §6).',
  'hpack-integer': 'An integer of the header block is above 2^28 or longer than 5 octets (RFC 7541 §5.1).',
  'hpack-index': 'A field has index 0 or one beyond the dynamic table (RFC 7541 §2.3.3).',
  'hpack-huffman': 'A Huffman string has EOS, or padding that is not up to 7 bits of ones (RFC 7541 §5.2).',
  'hpack-size-update':
    'A table size update is above our SETTINGS_HEADER_TABLE_SIZE, or the third of its block (RFC 7541 §4.2, §6.3).',
  'hpack-size-update-late':
    'A table size update stands behind a field: it belongs at the start (RFC 7541 §4.2).',
  'hpack-size-update-missing':
    'Our SETTINGS lowered the table, and the next block did not begin with a size update (RFC 7541 §4.2).',
};

/** The rules, by name. */
export const HPACK_FAULTS: Readonly<Record<HpackRule, HpackFault>> = Object.freeze(
  Object.fromEntries(
    Object.entries(REASONS).map(([rule, reason]) => [rule, Object.freeze({ rule, reason })]),
  ) as Record<HpackRule, HpackFault>,
);
