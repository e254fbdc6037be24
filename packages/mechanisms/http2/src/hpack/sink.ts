/** Why a field that HPACK carried is no HTTP field (RFC 9113 §8.2.1): the message is malformed, a stream error. */
export type InvalidFieldRule = 'field-name' | 'field-value';

/** Where the fields of a block go, in order. Strings may be kept; nothing else is handed over. */
export interface HpackFieldSink {
  /**
   * A field whose octets are valid: the name a lower-case token (or a pseudo-header), the value without controls other
   * than HTAB and without blanks at its ends.
   * @param id known-name number of @tulle/fields, 0 for other names, a negative `PSEUDO_…` number when the name begins
   * with a colon
   * @param name interned: equal names are the same string
   * @param value latin1, one octet a UTF-16 unit
   * @param neverIndexed the sender forbade to index it: `FieldTable.pushValue` keeps that for the next hop (RFC 7541 §6.2.3)
   */
  onField(id: number, name: string, value: string, neverIndexed: boolean): void;
  /** A field that makes the message malformed. The rest of the block still comes, because the table must go on. */
  onInvalidField(name: string, value: string, rule: InvalidFieldRule): void;
}
