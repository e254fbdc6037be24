import { type Message, fromBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainPathRefusal } from '@tulle/match';
import { AUTHZ_FILTER, CORS_FILTER, JWT_FILTER, type FilterEntry } from '@tulle/model';
import { RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { type RBAC, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { encodeHttpFilters } from '../filters.ts';
import { type EncodeForm, OLDER_OWN_FORM, OWN_FORM } from '../form.ts';

const FOREIGN: EncodeForm = { workloadCertificate: { kind: 'none' }, release: 'this' };
const authz: FilterEntry = {
  name: AUTHZ_FILTER,
  filter: AUTHZ_FILTER,
  config: { policies: [{ name: 'p', action: 'ALLOW', rules: [{ to: { paths: ['/public/*'] } }] }] },
};

const names = (entries: readonly FilterEntry[], form: EncodeForm): string[] =>
  encodeHttpFilters(entries, form).map(({ name }) => name);

/** The patterns of the filter, as Envoy holds them against whole paths. */
function patterns(): RegExp[] {
  const [first] = encodeHttpFilters([authz], FOREIGN);
  const rbac: RBAC & Message = fromBinary(RBACSchema, (first!.configType.value as Any).value);
  expect(rbac.rules?.action).toBe(Action.DENY);
  return Object.values(rbac.rules?.policies ?? {}).flatMap(({ permissions }) =>
    permissions.map(({ rule }) => {
      const path =
        rule.case === 'urlPath' && rule.value.rule.case === 'path' ? rule.value.rule.value : undefined;
      const regex = path?.matchPattern.case === 'safeRegex' ? path.matchPattern.value.regex : '';
      expect(regex).toMatch(/^\(\?i\)./);
      return new RegExp(`^(?:${regex.slice('(?i)'.length)})$`, 'i');
    }),
  );
}

const denied = patterns();
const isDenied = (path: string): boolean => denied.some((pattern) => pattern.test(path));

describe('a client that is not Tulle’s', () => {
  it('gets the filter first in a chain that judges paths, and in no other', () => {
    expect(names([authz], FOREIGN)[0]).toBe('tulle.dev/refused-paths');
    expect(names([{ name: 'jwt', filter: JWT_FILTER, config: {} }], FOREIGN)[0]).toBe(
      'tulle.dev/refused-paths',
    );
    expect(names([{ name: 'cors', filter: CORS_FILTER, config: {} }], FOREIGN)).not.toContain(
      'tulle.dev/refused-paths',
    );
    for (const form of [OWN_FORM, OLDER_OWN_FORM])
      expect(names([authz], form)).not.toContain('tulle.dev/refused-paths');
  });

  it.each([
    '/public/..;/admin',
    '/public/..;x=1/admin',
    '/public/.;/admin',
    '/public/%2e%2E;/admin',
    '/public/..%3b/admin',
    '/public/..%3B',
    '/public/%00',
    '/public/%2f..',
    '/public/..%5Cadmin',
    '/public\\..\\admin',
    '/public/%252e%252e/admin',
    '/public/%25%32e',
    '/public/%c0%ae%c0%ae/',
    '/public/%',
    '/public/%2',
    '/public/%zz',
    '/a b',
    'public',
    '**',
  ])('denies %s', (path) => {
    expect(isDenied(path)).toBe(true);
  });

  it.each(['*', '/', '/public/a;v=1', '/public/...;x', '/a..;x', '/%41', '/100%25', '/%C3%A9', '/a+b'])(
    'lets %s through',
    (path) => {
      expect(isDenied(path)).toBe(false);
    },
  );

  it('denies what the engine refuses, and nothing else', () => {
    const part = fc.constantFrom(
      ...[
        '/',
        '.',
        '..',
        ';',
        '%3b',
        '%3B',
        '%2e',
        '%2E',
        '%',
        '%25',
        '%2',
        '2',
        'e',
        'F',
        '0',
        '1',
        '%00',
        '%7f',
      ],
      ...[
        '%2F',
        '%5c',
        '\\',
        ' ',
        '#',
        '*',
        'x',
        '%c0',
        '%AF',
        '%E0',
        '%80',
        '%F0',
        '%f8',
        '%32',
        '%65',
        '%C3',
        '~',
      ],
    );
    const path = fc
      .tuple(fc.constantFrom('/', '/', '/', '/a/', '', '*'), fc.array(part, { maxLength: 8 }))
      .map(([start, parts]) => start + parts.join(''))
      .filter((one) => one !== '');
    fc.assert(
      fc.property(path, (one) => {
        const reason = explainPathRefusal(one);
        // Envoy has resolved these before any filter.
        fc.pre(reason !== 'a dot segment above the root');
        expect(isDenied(one), `${one}: ${reason}`).toBe(reason !== '');
      }),
      { numRuns: 20_000 },
    );
  });
});
