import { create } from '@bufbuild/protobuf';
import { AUTHZ_FILTER, EXT_AUTHZ_FILTER, type FilterEntry, JWT_FILTER } from '@tulle/model';
import { PermissionSchema, RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { type RBAC, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { encodeStringMatch } from '../matchers.ts';

/** Filters that judge a request by its path. */
const JUDGES: ReadonlySet<string> = new Set([AUTHZ_FILTER, EXT_AUTHZ_FILTER, JWT_FILTER]);

const HEX = '[0-9a-f]';
/**
 * Paths that Tulle's engine refuses before any filter sees them (`normalizePath` of `@tulle/match`, to which its property
 * test holds them), as RE2 for whole paths without case; small ones, since Envoy bounds the size of each. Dot segments above
 * the root are missing: Envoy has resolved them, and judges and forwards what is left.
 */
const REFUSED: readonly string[] = [
  // No slash at the beginning; `*` is for OPTIONS.
  '[^/*].*',
  '\\*.+',
  // Characters that no path may hold, as they are or escaped; escaped slashes and backslashes.
  '.*[\\x00-\\x20\\x7f#\\\\].*',
  `.*%(?:[01]${HEX}|2f|5c|7f).*`,
  // No two hex digits after a percent sign.
  `.*%(?:[^0-9a-f].*|${HEX}[^0-9a-f].*|${HEX}?)`,
  // An escape of an escape, of which the digits may be escaped.
  `.*%25(?:${HEX}|%3[0-9]|%[46][1-6]){2}.*`,
  // Overlong UTF-8.
  '.*%(?:c[01]%[89ab]|e0%[89]|f0%8|f[89a-f]%[89ab]).*',
  // A dot segment with parameters: some origins leave the directory by it.
  '.*/(?:\\.|%2e){1,2}(?:;|%3b).*',
];

/** Whether a chain holds a filter that a path can get past by its spelling. */
export function judgesPaths(entries: readonly FilterEntry[]): boolean {
  return entries.some(({ filter }) => JUDGES.has(filter));
}

/** For clients that are not Tulle's: denies what Tulle's engine would refuse. */
export function refusedPaths(): RBAC {
  const permissions = REFUSED.map((value) =>
    create(PermissionSchema, {
      rule: {
        case: 'urlPath',
        value: {
          rule: { case: 'path', value: encodeStringMatch({ kind: 'regex', value, ignoreCase: true }) },
        },
      },
    }),
  );
  return create(RBACSchema, {
    rules: {
      action: Action.DENY,
      policies: {
        'refused-paths': { permissions, principals: [{ identifier: { case: 'any', value: true } }] },
      },
    },
  });
}
