import { knownNameId } from '@tulle/fields';
import { HpackEntry } from './entry.ts';
import { pseudoId } from './pseudo.ts';

/** RFC 7541 appendix A, from index 1; a name alone has the value ''. */
const FIELDS: readonly (readonly [string, string?])[] = [
  [':authority'],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset'],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language'],
  ['accept-ranges'],
  ['accept'],
  ['access-control-allow-origin'],
  ['age'],
  ['allow'],
  ['authorization'],
  ['cache-control'],
  ['content-disposition'],
  ['content-encoding'],
  ['content-language'],
  ['content-length'],
  ['content-location'],
  ['content-range'],
  ['content-type'],
  ['cookie'],
  ['date'],
  ['etag'],
  ['expect'],
  ['expires'],
  ['from'],
  ['host'],
  ['if-match'],
  ['if-modified-since'],
  ['if-none-match'],
  ['if-range'],
  ['if-unmodified-since'],
  ['last-modified'],
  ['link'],
  ['location'],
  ['max-forwards'],
  ['proxy-authenticate'],
  ['proxy-authorization'],
  ['range'],
  ['referer'],
  ['refresh'],
  ['retry-after'],
  ['server'],
  ['set-cookie'],
  ['strict-transport-security'],
  ['transfer-encoding'],
  ['user-agent'],
  ['vary'],
  ['via'],
  ['www-authenticate'],
];

/** Entries by index; 0 is no entry. */
export const STATIC_TABLE: readonly HpackEntry[] = Object.freeze([
  new HpackEntry(0, '', '', undefined),
  ...FIELDS.map(
    ([name, value = '']) =>
      new HpackEntry(name.startsWith(':') ? pseudoId(name) : knownNameId(name), name, value, undefined),
  ),
]);

/** Index of the first dynamic entry: 62. */
export const FIRST_DYNAMIC: number = FIELDS.length + 1;
