/**
 * HTTP fields as a filter sees them. An interface over the engine's own tables: never an array or a Map,
 * because a table is reused by the next request.
 *
 * - **Names** that you pass in are lower case (`'content-type'`). Lookup compares interned lower-case names;
 *   the spelling that arrived is kept and written out again.
 * - **Values** are latin1 strings, one UTF-16 unit an octet (RFC 9110 §5.5), without surrounding blanks.
 * - **Repeated fields stay apart.** Nothing is ever joined with commas: joining breaks `set-cookie` and lets a
 *   second field line slip past a policy that looked at the first. {@link Headers.getAll} gives every line.
 */
export interface Headers {
  /** Number of field lines, repeated ones counted each. */
  readonly length: number;
  /** Lower-case name of line `index`, 0-based. */
  name(index: number): string;
  /** Name of line `index` as it was spelt by the sender. */
  rawName(index: number): string;
  /** Value of line `index`. */
  value(index: number): string;
  /** First value of `name`, or `undefined`. To decide policy on a field that may repeat, use {@link getAll}. */
  get(name: string): string | undefined;
  /** All values of `name` in order; a fresh array, empty when absent. */
  getAll(name: string): string[];
  has(name: string): boolean;
  /** Calls `fn` for each line in order. Allocation-free apart from your closure. */
  forEach(fn: (name: string, value: string) => void): void;
}

/**
 * Fields that a filter may edit. Edits are validated where they are made: a name that is no token
 * (RFC 9110 §5.6.2) or a value with CR, LF or NUL throws a {@link TulleError} `TULLE_HEADER_INVALID`,
 * which gives that stream a 500 naming the filter; nothing invalid reaches a peer.
 *
 * Framing (`content-length`, `transfer-encoding`, `connection`, `upgrade`, `te`, `trailer`) belongs to the engine:
 * editing those throws as well.
 */
export interface MutableHeaders extends Headers {
  /** Replaces every line of `name` by one. */
  set(name: string, value: string): void;
  /** Adds a line after the existing ones. */
  append(name: string, value: string): void;
  /** Removes every line of `name`; returns how many there were. */
  remove(name: string): number;
}
