/** Edits in the order remove, set, add. Names lower case. */
export interface HeaderEdits {
  readonly set?: readonly HeaderValue[];
  readonly add?: readonly HeaderValue[];
  readonly remove?: readonly string[];
}

/** A field with its value. */
export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

/**
 * Edits of a route and what surrounds it: `remove`, then what replaces lines, then what adds some. Whether a field is there
 * is asked before anything is put (Envoy `HeaderValueOption.append_action`). Names lower case; one of `setIfPresent` or
 * `addIfAbsent` stands in no other list but `remove`.
 */
export interface RouteHeaderEdits {
  readonly remove?: readonly string[];
  readonly set?: readonly RouteHeaderValue[];
  /** Only where the field is there already. */
  readonly setIfPresent?: readonly RouteHeaderValue[];
  readonly add?: readonly RouteHeaderValue[];
  /** Only where the field is not there yet. */
  readonly addIfAbsent?: readonly RouteHeaderValue[];
}

/** A field with its value, or with the way to make it. */
export interface RouteHeaderValue extends HeaderValue {
  /**
   * `value` has operators of access logs, e.g. `%DOWNSTREAM_REMOTE_ADDRESS%` and `%REQ(:path)%`, `%%` for a percent sign.
   * What is unset stands for nothing; a value that comes to nothing edits nothing. Default false: text as it stands.
   */
  readonly format?: boolean;
}
