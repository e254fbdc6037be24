import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { Listener } from '@tulle/model';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import * as inputs from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/network/v3/network_inputs';
import { HttpRequestHeaderMatchInputSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/http_inputs';
import { IPMatcherSchema } from '@tulle/xds-proto/xds/type/matcher/v3/ip';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const registry = createRegistry(
  TcpProxySchema,
  StringValueSchema,
  IPMatcherSchema,
  HttpRequestHeaderMatchInputSchema,
  inputs.DestinationIPInputSchema,
  inputs.DestinationPortInputSchema,
  inputs.SourceIPInputSchema,
  inputs.SourcePortInputSchema,
  inputs.DirectSourceIPInputSchema,
  inputs.SourceTypeInputSchema,
  inputs.ServerNameInputSchema,
  inputs.TransportProtocolInputSchema,
  inputs.ApplicationProtocolInputSchema,
  inputs.FilterStateInputSchema,
);
const decoder = createResourceDecoder();
const TYPE = 'type.googleapis.com/';
type Json = Readonly<Record<string, JsonValue>>;

const chain = (name: string, more: Json = {}): Json => ({
  name,
  filters: [
    {
      name: 'tcp',
      typed_config: {
        '@type': `${TYPE}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
        stat_prefix: 's',
        cluster: 'c',
      },
    },
  ],
  ...more,
});

/** What a listener with a matcher is read as, or the paths at which it is refused. */
function read(matcher: Json, more: Json = {}): Listener | string[] {
  const message = fromJson(
    ListenerSchema,
    {
      name: 'l',
      address: { socket_address: { address: '0.0.0.0', port_value: 80 } },
      filter_chains: [chain('a'), chain('b')],
      filter_chain_matcher: matcher,
      ...more,
    },
    { registry },
  );
  const decoded = decoder.decode('listener', anyPack(ListenerSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

const input = (name: string, more: Json = {}): Json => ({
  name: 'i',
  typed_config: { '@type': `${TYPE}envoy.extensions.matching.common_inputs.network.v3.${name}`, ...more },
});
const to = (value: string): Json => ({
  action: { name: 'x', typed_config: { '@type': `${TYPE}google.protobuf.StringValue`, value } },
});
const single = (name: string, match: Json, more: Json = {}): Json => ({
  single_predicate: { input: input(name, more), value_match: match },
});
const ranges = (range_matchers: JsonValue): Json => ({
  name: 'ip',
  typed_config: { '@type': `${TYPE}xds.type.matcher.v3.IPMatcher`, range_matchers },
});

describe('a matcher of filter chains', () => {
  it('is read, with all of its parts', () => {
    const got = read(
      {
        matcher_tree: {
          input: input('DestinationIPInput'),
          custom_match: ranges([
            {
              ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }, { address_prefix: '::' }],
              on_match: to('a'),
            },
            {
              ranges: [{ address_prefix: '10.1.0.0', prefix_len: 16 }],
              exclusive: true,
              on_match: {
                matcher: {
                  matcher_tree: {
                    input: input('DestinationPortInput'),
                    exact_match_map: { map: { '80': to('b') } },
                  },
                },
              },
            },
          ]),
        },
        on_no_match: {
          matcher: {
            matcher_list: {
              matchers: [
                {
                  predicate: {
                    and_matcher: {
                      predicate: [
                        single('ServerNameInput', { suffix: '.test' }),
                        { not_matcher: single('FilterStateInput', { exact: 'x' }, { key: 'k' }) },
                      ],
                    },
                  },
                  on_match: to('b'),
                },
              ],
            },
          },
        },
      },
      { default_filter_chain: chain('') },
    );
    expect(got).toMatchObject({
      filterChains: [{ name: 'a' }, { name: 'b' }, { name: 'default' }],
      defaultChain: 'default',
      chainChoice: {
        kind: 'networks',
        input: 'destination-ip',
        of: [
          { cidrs: ['10.0.0.0/8', '::/0'], choose: { kind: 'chain', name: 'a' } },
          {
            cidrs: ['10.1.0.0/16'],
            narrowestAlone: true,
            choose: {
              kind: 'exact',
              input: 'destination-port',
              values: { 80: { kind: 'chain', name: 'b' } },
            },
          },
        ],
        otherwise: {
          kind: 'list',
          of: [
            {
              when: {
                kind: 'all',
                of: [
                  { kind: 'input', input: 'server-name', match: { kind: 'suffix', value: '.test' } },
                  {
                    kind: 'not',
                    of: { kind: 'input', input: { filterState: 'k' }, match: { kind: 'exact', value: 'x' } },
                  },
                ],
              },
              choose: { kind: 'chain', name: 'b' },
            },
          ],
        },
      },
    });
    expect(got).not.toHaveProperty('chainOrder');
  });

  it.each([
    ['SourceIPInput', 'source-ip'],
    ['SourcePortInput', 'source-port'],
    ['DirectSourceIPInput', 'direct-source-ip'],
    ['SourceTypeInput', 'source-type'],
    ['TransportProtocolInput', 'transport-protocol'],
    ['ApplicationProtocolInput', 'application-protocols'],
  ])('may ask for a %s', (type, name) => {
    expect(
      read({ matcher_tree: { input: input(type), prefix_match_map: { map: { x: to('a') } } } }),
    ).toMatchObject({ chainChoice: { kind: 'prefix', input: name } });
  });

  it('that cannot be done is refused by its paths', () => {
    const at = 'filter_chain_matcher';
    const other = { '@type': `${TYPE}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, header_name: 'x' };
    expect(read({})).toEqual([at]);
    expect(
      read({
        matcher_list: {
          matchers: [
            { predicate: {}, on_match: { action: { name: 'x', typed_config: other } } },
            {
              predicate: {
                or_matcher: {
                  predicate: [
                    {
                      single_predicate: {
                        input: { name: 'x', typed_config: other },
                        value_match: { exact: 'x' },
                      },
                    },
                  ],
                },
              },
              on_match: {},
            },
          ],
        },
        on_no_match: {
          matcher: {
            matcher_tree: {
              input: input('FilterStateInput'),
              custom_match: { name: 'x', typed_config: other },
            },
          },
        },
      }),
    ).toEqual(
      expect.arrayContaining([
        `${at}.on_no_match.matcher.matcher_tree.input.typed_config.key`,
        `${at}.on_no_match.matcher.matcher_tree.custom_match.typed_config`,
        `${at}.matcher_list.matchers[0].predicate`,
        `${at}.matcher_list.matchers[0].on_match.action.typed_config`,
        `${at}.matcher_list.matchers[1].predicate.or_matcher.predicate`,
        `${at}.matcher_list.matchers[1].predicate.or_matcher.predicate[0].single_predicate.input.typed_config`,
        `${at}.matcher_list.matchers[1].on_match`,
      ]),
    );
    const none = ranges([{ on_match: to('a') }]);
    expect(read({ matcher_tree: { input: input('SourceIPInput'), custom_match: none } })).toEqual([
      `${at}.matcher_tree.custom_match.typed_config.range_matchers[0].ranges`,
    ]);
    // Where the name stands that no chain has; the one by default is one too.
    expect(read({ on_no_match: to('nobody') })).toEqual([`${at}.on_no_match.action.typed_config.value`]);
    expect(read({ on_no_match: to('rest') }, { default_filter_chain: chain('rest') })).toMatchObject({
      chainChoice: { kind: 'chain', name: 'rest' },
    });
    const chains = [chain(''), chain('a', { filter_chain_match: {} }), chain('a')];
    expect(read({ on_no_match: to('a') }, { filter_chains: chains })).toEqual([
      'filter_chains[0].name',
      'filter_chains[1].filter_chain_match',
      'filter_chains[2].name',
    ]);
  });
});
