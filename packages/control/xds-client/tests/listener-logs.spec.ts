import { createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { FileAccessLogSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/file/v3/file';
import { HttpGrpcAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/grpc/v3/als';
import { expect, it } from 'vitest';
import { createResourceDecoder, type Decoded } from '../src/decode/resource.ts';

const PREFIX = 'type.googleapis.com/envoy.extensions.access_loggers';
const address = (port_value: number): JsonObject => ({
  socket_address: { address: '127.0.0.1', port_value },
});

function decode(json: JsonObject): Decoded<'listener'> {
  const registry = createRegistry(FileAccessLogSchema, HttpGrpcAccessLogConfigSchema);
  const message = fromJson(ListenerSchema, { name: 'l', address: address(1), ...json }, { registry });
  return createResourceDecoder().decode('listener', anyPack(ListenerSchema, message), { kind: 'ads' });
}

const paths = (decoded: Decoded<'listener'>): string[] =>
  decoded.ok ? [] : decoded.issues.map(({ path }) => path);

it('say where connections are logged and accepted', () => {
  const decoded = decode({
    additional_addresses: [{ address: address(2) }, { address: { pipe: { path: '/run/l' } } }],
    access_log: [
      {
        filter: { log_type_filter: { types: ['NotSet'] } },
        typed_config: {
          '@type': `${PREFIX}.file.v3.FileAccessLog`,
          path: '/l',
          log_format: { text_format_source: { inline_string: 'x' } },
        },
      },
    ],
  });
  expect(decoded.ok && decoded.resource).toMatchObject({
    additionalAddresses: [{ host: '127.0.0.1', port: 2 }, { path: '/run/l' }],
    accessLogs: [{ to: { kind: 'file', path: '/l' }, filter: { kind: 'log-type', types: ['NotSet'] } }],
  });
});

it.each<[string, JsonObject]>([
  ['additional_addresses[0].address', { additional_addresses: [{}] }],
  [
    'additional_addresses[0].socket_options',
    { additional_addresses: [{ address: address(2), socket_options: {} }] },
  ],
  [
    'access_log[0].typed_config',
    {
      access_log: [
        {
          typed_config: {
            '@type': `${PREFIX}.grpc.v3.HttpGrpcAccessLogConfig`,
            common_config: { log_name: 'l', grpc_service: { envoy_grpc: { cluster_name: 'c' } } },
          },
        },
      ],
    },
  ],
])('are refused at %s', (path, json) => {
  expect(paths(decode(json))).toEqual([path]);
});
