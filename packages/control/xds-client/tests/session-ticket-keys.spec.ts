import { createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { DownstreamTlsContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.';
const registry = createRegistry(TcpProxySchema, DownstreamTlsContextSchema);

/** Of the one chain of a listener; where it is refused, the paths. */
function read(
  fields: JsonObject,
  what: 'sessionTicketKey' | 'sessionTimeoutMs' = 'sessionTicketKey',
): unknown {
  const json = {
    name: 'l',
    address: { socket_address: { address: '127.0.0.1', port_value: 1 } },
    filter_chains: [
      {
        filters: [
          {
            name: 'tcp',
            typed_config: {
              '@type': `${TYPE}filters.network.tcp_proxy.v3.TcpProxy`,
              stat_prefix: 's',
              cluster: 'c',
            },
          },
        ],
        transport_socket: {
          name: 'tls',
          typed_config: {
            '@type': `${TYPE}transport_sockets.tls.v3.DownstreamTlsContext`,
            common_tls_context: {
              tls_certificates: [{ certificate_chain: { filename: '/c' }, private_key: { filename: '/k' } }],
            },
            ...fields,
          },
        },
      },
    ],
  };
  const message = fromJson(ListenerSchema, json, { registry });
  const decoded = createResourceDecoder().decode('listener', anyPack(ListenerSchema, message), {
    kind: 'ads',
  });
  return decoded.ok
    ? decoded.resource.filterChains[0]?.tls?.[what]
    : decoded.issues.map(({ path }) => path.replace(/^.*typed_config\./, ''));
}

it('the first key of session tickets is taken, from a file or as bytes', () => {
  expect(read({ session_ticket_keys: { keys: [{ filename: '/t' }, { filename: '/u' }] } })).toEqual({
    file: '/t',
  });
  const text = 'x'.repeat(80);
  const keyBase64 = Buffer.from(text).toString('base64');
  expect(read({ session_ticket_keys: { keys: [{ inline_string: text }] } })).toEqual({ keyBase64 });
  expect(read({ session_ticket_keys: { keys: [{ inline_bytes: keyBase64 }] } })).toEqual({ keyBase64 });
});

it('keys of session tickets that are none are refused by their place', () => {
  const good = { filename: '/t' };
  expect(read({ session_ticket_keys: { keys: [good, { inline_string: 'short' }] } })).toEqual([
    'session_ticket_keys.keys[1]',
  ]);
  expect(read({ session_ticket_keys: { keys: [{ environment_variable: 'T' }] } })).toEqual([
    'session_ticket_keys.keys[0]',
  ]);
  expect(read({ session_ticket_keys: { keys: [] } })).toEqual(['session_ticket_keys.keys']);
});

it('the time of sessions is taken by whole seconds; less than one says nothing', () => {
  expect(read({ session_timeout: '7.9s' }, 'sessionTimeoutMs')).toBe(7_000);
  expect(read({ session_timeout: '0.9s' }, 'sessionTimeoutMs')).toBeUndefined();
  expect(read({}, 'sessionTimeoutMs')).toBeUndefined();
});
