import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { beforeHttp, httpConfig, overrides, typed } from './envoy-filters.ts';

const extension = (typedConfig: JsonObject): JsonObject => ({ name: 'x', typedConfig });
const action = (name: string, kind = 'ALLOW'): JsonObject => ({
  action: extension(typed('envoy.config.rbac.v3.Action', { name, action: kind })),
});
const header = (headerName: string): JsonObject =>
  extension(typed('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { headerName }));
const network = (name: string, fields: JsonObject = {}): JsonObject =>
  extension(typed(`envoy.extensions.matching.common_inputs.network.v3.${name}`, fields));
const single = (input: JsonObject, valueMatch: JsonObject): JsonObject => ({
  singlePredicate: { input, valueMatch },
});
const custom = (input: JsonObject, customMatch: JsonObject): JsonObject => ({
  singlePredicate: { input, customMatch: extension(customMatch) },
});
const list = (...matchers: readonly (readonly [JsonObject, JsonObject])[]): JsonObject => ({
  matcherList: { matchers: matchers.map(([predicate, onMatch]) => ({ predicate, onMatch })) },
});
const ofRequests = (matcher: JsonObject): unknown => httpConfig(typed('http.rbac.v3.RBAC', { matcher }));
const deciders = (matcher: JsonObject): unknown => {
  const config = ofRequests(matcher);
  return Array.isArray(config) ? config : (config as { firstMatch?: unknown }).firstMatch;
};
const is = (input: unknown, value: string, kind = 'exact') => ({ input, match: { kind, value } });
const allow = (name: string, expression: unknown) => ({ name, action: 'ALLOW', expression });

describe('a matcher of RBAC', () => {
  it('is a list of what decides, each behind all conditions on the way to it', () => {
    const inner = {
      ...list([single(header('X-B'), { prefix: 'b' }), action('inner', 'DENY')]),
      onNoMatch: action('inner-else', 'LOG'),
    };
    expect(
      ofRequests({
        ...list(
          [single(header('x-a'), { exact: 'a' }), { matcher: inner }],
          [
            {
              orMatcher: {
                predicate: [
                  single(header('host'), { exact: 'h' }),
                  { notMatcher: single(network('DestinationPortInput'), { exact: '80' }) },
                ],
              },
            },
            action('second'),
          ],
        ),
        onNoMatch: action('last'),
      }),
    ).toEqual({
      policies: [],
      firstMatch: [
        {
          name: 'inner',
          action: 'DENY',
          expression: { allOf: [is({ header: 'x-a' }, 'a'), is({ header: 'x-b' }, 'b', 'prefix')] },
        },
        { name: 'inner-else', action: 'LOG', expression: is({ header: 'x-a' }, 'a') },
        allow('second', {
          anyOf: [is({ header: ':authority' }, 'h'), { not: is('destination-port', '80') }],
        }),
        allow('last', { any: true }),
      ],
    });
  });

  it('asks maps by the longest beginning first', () => {
    const map = { '/a': action('short'), '/a/b': action('long') };
    const tree = (treeType: JsonObject) => deciders({ matcherTree: { input: header(':path'), ...treeType } });
    const path = (value: string, kind: string) => is({ header: ':path' }, value, kind);
    expect(tree({ prefixMatchMap: { map } })).toEqual([
      allow('long', path('/a/b', 'prefix')),
      allow('short', path('/a', 'prefix')),
    ]);
    expect(tree({ exactMatchMap: { map } })).toEqual([
      allow('short', path('/a', 'exact')),
      allow('long', path('/a/b', 'exact')),
    ]);
  });

  it('asks networks by the narrowest first, those that are exclusive by that alone', () => {
    const range = (addressPrefix: string, prefixLen: number) => ({ addressPrefix, prefixLen });
    expect(
      deciders({
        matcherTree: {
          input: network('SourceIPInput'),
          customMatch: extension(
            typed('xds.type.matcher.v3.IPMatcher', {
              rangeMatchers: [
                { ranges: [range('10.0.0.0', 8)], onMatch: action('wide'), exclusive: true },
                { ranges: [range('10.1.0.0', 16), range('fd00::', 8)], onMatch: action('narrow') },
              ],
            }),
          ),
        },
      }),
    ).toEqual([
      allow('narrow', { client: '10.1.0.0/16' }),
      allow('wide', { allOf: [{ client: '10.0.0.0/8' }, { not: { client: '10.1.0.0/16' } }] }),
      allow('narrow', { client: 'fd00::/8' }),
    ]);
  });

  it.each<[string, JsonObject, unknown]>([
    [
      'networks',
      custom(
        network('DestinationIPInput'),
        typed('envoy.extensions.matching.input_matchers.ip.v3.Ip', {
          cidrRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
          statPrefix: 's',
        }),
      ),
      { destination: '10.0.0.0/8' },
    ],
    [
      'what filters found out',
      custom(
        network('DynamicMetadataInput', { filter: 'envoy.filters.http.jwt_authn', path: [{ key: 'a' }] }),
        typed('envoy.extensions.matching.input_matchers.metadata.v3.Metadata', {
          value: { boolMatch: true },
          invert: true,
        }),
      ),
      {
        metadata: {
          namespace: 'envoy.filters.http.jwt_authn',
          path: ['a'],
          value: { truth: true },
          invert: true,
        },
      },
    ],
    [
      'an expression',
      custom(
        extension(typed('xds.type.matcher.v3.HttpAttributesCelMatchInput')),
        typed('xds.type.matcher.v3.CelMatcher', {
          exprMatch: {
            celExprParsed: {
              expr: { selectExpr: { operand: { identExpr: { name: 'connection' } }, field: 'mtls' } },
            },
          },
        }),
      ),
      { cel: 'connection.mtls' },
    ],
    [
      'an expression in words of Google',
      custom(
        extension(typed('xds.type.matcher.v3.HttpAttributesCelMatchInput')),
        typed('xds.type.matcher.v3.CelMatcher', {
          exprMatch: { checkedExpr: { expr: { constExpr: { boolValue: true } } } },
        }),
      ),
      { cel: 'true' },
    ],
    [
      'filter state',
      single(network('FilterStateInput', { key: 'k' }), { suffix: 'v' }),
      { filterState: { key: 'k', match: { kind: 'suffix', value: 'v' } } },
    ],
    [
      'a name in a certificate',
      single(extension(typed('envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput')), {
        prefix: 'spiffe://a/',
      }),
      { identity: { kind: 'prefix', value: 'spiffe://a/' } },
    ],
  ])('asks for %s', (_, predicate, expression) => {
    expect(deciders(list([predicate, action('p')]))).toEqual([allow('p', expression)]);
  });

  it.each<[string, JsonObject, RegExp]>([
    [
      'an input of other places',
      single(network('TransportProtocolInput'), { exact: 'tls' }),
      /input.*Transport/,
    ],
    [
      'names that are no SPIFFE ids',
      single(extension(typed('envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput')), { exact: 'a' }),
      /SPIFFE id/,
    ],
    [
      'an expression that is not parsed',
      custom(
        extension(typed('xds.type.matcher.v3.HttpAttributesCelMatchInput')),
        typed('xds.type.matcher.v3.CelMatcher', { exprMatch: { celExprString: 'true' } }),
      ),
      /expr_match/,
    ],
    [
      'an expression on a text',
      custom(
        header('a'),
        typed('xds.type.matcher.v3.CelMatcher', {
          exprMatch: { celExprParsed: { expr: { constExpr: { boolValue: true } } } },
        }),
      ),
      /HttpAttributesCelMatchInput/,
    ],
    [
      'a network of no address',
      custom(
        header('a'),
        typed('envoy.extensions.matching.input_matchers.ip.v3.Ip', {
          cidrRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
        }),
      ),
      /must be an address/,
    ],
  ])('refuses %s', (_, predicate, expected) => {
    expect(ofRequests(list([predicate, action('p')]))).toContainEqual(expect.stringMatching(expected));
  });

  it('refuses what is no action, and rules beside it, which Envoy passes over', () => {
    expect(ofRequests({ onNoMatch: { action: extension(typed('xds.type.matcher.v3.CelMatcher')) } })).toEqual(
      [expect.stringMatching(/on_no_match\.action\.typed_config must be an envoy\.config\.rbac\.v3\.Action/)],
    );
    expect(
      httpConfig(
        typed('http.rbac.v3.RBAC', { matcher: { onNoMatch: action('a') }, rules: { policies: {} } }),
      ),
    ).toEqual([expect.stringMatching(/rules must not be set where matcher is/)]);
  });

  it('is watched, stands in routes, and judges connections', () => {
    const matcher = { onNoMatch: action('a', 'DENY') };
    const firstMatch = [{ name: 'a', action: 'DENY', expression: { any: true } }];
    expect(httpConfig(typed('http.rbac.v3.RBAC', { shadowMatcher: matcher }))).toEqual({
      policies: [],
      shadowFirstMatch: firstMatch,
    });
    expect(overrides({ f: typed('http.rbac.v3.RBACPerRoute', { rbac: { matcher } }) })).toEqual({
      f: { policies: [], firstMatch },
    });
    const onConnection = (of: JsonObject) =>
      beforeHttp({ name: 'n', typedConfig: typed('network.rbac.v3.RBAC', { statPrefix: 's', matcher: of }) });
    expect(onConnection(matcher)).toEqual([
      { name: 'n', filter: 'tulle.conn.authz', config: { policies: [], firstMatch } },
    ]);
    expect(onConnection(list([single(header('x'), { exact: 'a' }), action('p')]))).toContainEqual(
      expect.stringMatching(/HttpRequestHeaderMatchInput is nothing/),
    );
  });
});
