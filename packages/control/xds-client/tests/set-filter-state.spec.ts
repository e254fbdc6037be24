import { fromJson } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import { ConfigSchema as NetworkConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state';
import { expect, it } from 'vitest';
import { createDecodeContext } from '../src/decode/context.ts';
import { decodeConnSetFilterState, decodeSetFilterState } from '../src/decode/set-filter-state.ts';
import type { Json } from './read-route.ts';

/** What another control plane's filter is read as, and where it is refused. */
function read(...values: Json[]): { readonly values: readonly unknown[]; readonly refused: string[] } {
  const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
  const message = fromJson(ConfigSchema, { on_request_headers: values });
  context.open(anyPack(ConfigSchema, message), 'f');
  const config = decodeSetFilterState(context, message, 'f');
  return { values: config.values, refused: context.issues.map(({ path }) => path) };
}

const value = {
  object_key: 'a',
  factory_key: 'envoy.string',
  format_string: { text_format_source: { inline_string: '%REQ(x)%' } },
};

it('texts are read, with all that says how they are put down', () => {
  expect(read(value, { ...value, read_only: true, skip_if_empty: true })).toEqual({
    values: [
      { key: 'a', format: '%REQ(x)%' },
      { key: 'a', format: '%REQ(x)%', readOnly: true, skipIfEmpty: true },
    ],
    refused: [],
  });
  const old = { text_format: 'x', omit_empty_values: true };
  expect(read({ object_key: 'envoy.string', format_string: old }).values).toEqual([
    { key: 'envoy.string', format: 'x', omitEmpty: true },
  ]);
});

it('what other listeners of the process are told is read, and the addresses that they take for theirs', () => {
  const local = 'envoy.filters.listener.original_dst.local_ip';
  const { factory_key: _, ...address } = { ...value, object_key: local };
  expect(
    read(
      { ...value, shared_with_upstream: 'ONCE' },
      { ...value, shared_with_upstream: 'TRANSITIVE' },
      address,
    ),
  ).toEqual({
    values: [
      { key: 'a', format: '%REQ(x)%', shared: 'once' },
      { key: 'a', format: '%REQ(x)%', shared: 'always' },
      { key: local, format: '%REQ(x)%', kind: 'address' },
    ],
    refused: [],
  });
});

it.each<[string, Json]>([
  [
    'f.on_request_headers[0].object_key',
    { factory_key: 'envoy.string', format_string: { text_format: 'x' } },
  ],
  ['f.on_request_headers[0].factory_key', { ...value, factory_key: '' }],
  ['f.on_request_headers[0].factory_key', { ...value, factory_key: 'envoy.tcp_proxy.cluster' }],
  ['f.on_request_headers[0].factory_key', { ...value, factory_key: 'envoy.network.upstream_server_name' }],
  ['f.on_request_headers[0].format_string', { ...value, format_string: { json_format: { a: 'b' } } }],
])('what is no text, or goes further, is refused at %s', (path, given) => {
  expect(read(given).refused).toContain(path);
});

it('texts of Istio are texts, and those of connections are read alike', () => {
  const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
  const { factory_key: _, ...principal } = { ...value, object_key: 'io.istio.peer_principal' };
  const read = (json: Json): unknown =>
    decodeConnSetFilterState(context, fromJson(NetworkConfigSchema, json), 'f');
  expect(
    read({ on_new_connection: [principal, { ...value, factory_key: 'istio.hashable_string' }] }),
  ).toEqual({
    values: [
      { key: 'io.istio.peer_principal', format: '%REQ(x)%' },
      { key: 'a', format: '%REQ(x)%' },
    ],
  });
  expect(context.issues).toEqual([]);
  read({ on_new_connection: [{ ...value, factory_key: 'envoy.tcp_proxy.cluster' }] });
  read({});
  expect(context.issues.map(({ path }) => path)).toEqual([
    'f.on_new_connection[0].factory_key',
    'f.on_new_connection',
  ]);
});

it('nothing to put down is refused', () => {
  expect(read().refused).toEqual(['f.on_request_headers']);
});
