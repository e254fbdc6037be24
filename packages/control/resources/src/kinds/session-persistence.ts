import type { JsonSchema } from '@tulle/model';
import { duration, object, oneOf, text } from './schema-parts.ts';

/** Keeps callers at the endpoint that answered them first (Gateway API `SessionPersistence`, GEP-1619). */
export interface SessionPersistence {
  /** Of the cookie or field. Default: one that is unique to the rule, or to the Service. */
  readonly sessionName?: string;
  readonly absoluteTimeout?: string;
  readonly idleTimeout?: string;
  /** Default `Cookie`. */
  readonly type?: 'Cookie' | 'Header';
  readonly cookieConfig?: {
    /** Default `Session`. */
    readonly lifetimeType?: 'Permanent' | 'Session';
  };
}

export const sessionPersistenceSchema: JsonSchema = object(
  'Keeps callers at the endpoint that answered them first, whatever the weights say, by a token that they bring back.',
  {
    sessionName: text('Name of the cookie or field. Default: one of its own.', {
      minLength: 1,
      maxLength: 128,
      pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    }),
    absoluteTimeout: duration('How long a session lasts at most. Default: as long as the token is kept.'),
    idleTimeout: duration('How long a session may rest. Default: as long as the token is kept.'),
    type: oneOf('Where the token stands. Header: callers send back the field of an answer. Default Cookie.', [
      'Cookie',
      'Header',
    ]),
    cookieConfig: object('Of a cookie.', {
      lifetimeType: oneOf(
        'Session (default): it goes with the session of the browser. Permanent: it is kept for absoluteTimeout.',
        ['Permanent', 'Session'],
      ),
    }),
  },
);
