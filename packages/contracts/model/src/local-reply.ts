import type { HeaderEdits } from './header-edits.ts';

/** By this name policies say what local replies look like, as if a filter did it; the engine does. */
export const LOCAL_REPLIES = 'tulle.http.local-replies';

/**
 * What answers look like that the proxy gives itself (Envoy `LocalReplyConfig`): errors, refusals of filters, redirects and
 * direct responses.
 */
export interface LocalReplies {
  /** The first that matches is used. */
  readonly mappers?: readonly LocalReplyMapper[];
  /** Of the body, where no mapper says another. Absent: it stays as it is. */
  readonly format?: LocalReplyFormat;
}

/** What becomes of some local replies. */
export interface LocalReplyMapper {
  /** All that is given must hold; something is. */
  readonly match: {
    readonly minStatus?: number;
    readonly maxStatus?: number;
    /** One of these response flags, in their short form, e.g. `UH`. */
    readonly flags?: readonly string[];
  };
  /** Another status. */
  readonly status?: number;
  /** Another body, `%LOCAL_REPLY_BODY%` of the format. */
  readonly body?: string;
  readonly format?: LocalReplyFormat;
  /** `set` and `add` only. */
  readonly headers?: Pick<HeaderEdits, 'set' | 'add'>;
}

/**
 * Text, or a JSON object of texts, with the operators of access logs (`%RESPONSE_CODE%`, `%REQ(:PATH)%`), and
 * `%LOCAL_REPLY_BODY%` for the body as it was. Default type: text/plain; charset=utf-8, or application/json. In a text of
 * a type with html or xml in its name, values are written as character data.
 */
export type LocalReplyFormat = {
  readonly contentType?: string;
  /** What has no value is left out: a key of JSON, and the `-` of a text (Envoy `omit_empty_values`). Default false. */
  readonly omitEmpty?: boolean;
} & ({ readonly text: string } | { readonly json: LocalReplyJson });

/** Values that are one operator keep their type. */
export interface LocalReplyJson {
  readonly [key: string]: string | LocalReplyJson;
}
