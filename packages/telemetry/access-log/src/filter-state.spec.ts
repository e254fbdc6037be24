import { fromBinary } from '@bufbuild/protobuf';
import { type Any, anyUnpack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { StreamRecord } from '@tulle/telemetry';
import { streamRecord } from '@tulle/testkit';
import { expect, it } from 'vitest';
import {
  HTTPAccessLogEntrySchema,
  TCPAccessLogEntrySchema,
} from './gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { HeaderMapSchema } from './gen/envoy/config/core/v3/base_pb.js';
import { httpEntry, tcpEntry } from './grpc-entry.ts';

const HEAD = 'envoy.tcp_proxy.propagate_response_headers';
const ADDRESS = 'envoy.filters.listener.original_dst.remote_ip';

/** A record of which filters said these. */
const said = (state: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>): StreamRecord =>
  streamRecord({ filterState: (key) => (Object.hasOwn(state, key) ? state[key] : undefined) });

const options = (filterState: readonly string[]) => ({
  requestHeaders: [],
  responseHeaders: [],
  tags: [],
  filterState,
});

const objectsOf = (record: StreamRecord, keys: readonly string[]): Record<string, Any> =>
  fromBinary(HTTPAccessLogEntrySchema, httpEntry(record, options(keys))).commonProperties!.filterStateObjects;

it('tells the texts that filters put down under the keys that are asked for, and no others', () => {
  const objects = objectsOf(said({ tenant: 'acme', empty: '', other: 'x' }), ['tenant', 'empty', 'nobody']);
  expect(Object.keys(objects).toSorted()).toEqual(['empty', 'tenant']);
  expect(objects['tenant']?.typeUrl).toBe('type.googleapis.com/google.protobuf.StringValue');
  expect(anyUnpack(objects['tenant']!, StringValueSchema)?.value).toBe('acme');
  expect(anyUnpack(objects['empty']!, StringValueSchema)?.value).toBe('');
  expect(objectsOf(said({ tenant: 'acme' }), [])).toEqual({});
});

it('tells the answer that a tunnel kept as fields', () => {
  const record = said({ [HEAD]: { headers: [{ key: ':status', value: '200' }] } });
  const entry = fromBinary(TCPAccessLogEntrySchema, tcpEntry(record, options([HEAD])));
  const { [HEAD]: head } = entry.commonProperties!.filterStateObjects;
  expect(head?.typeUrl).toBe('type.googleapis.com/envoy.config.core.v3.HeaderMap');
  expect(anyUnpack(head!, HeaderMapSchema)?.headers).toMatchObject([{ key: ':status', value: '200' }]);
});

it('does not tell addresses, which Envoy has no message for', () => {
  expect(objectsOf(said({ [ADDRESS]: '10.0.0.1:80' }), [ADDRESS])).toEqual({});
});
