import type { JsonObject } from '@bufbuild/protobuf';
import { ProxyProtocolUpstreamTransportSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import { UpstreamTlsContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { describe, expect, it } from 'vitest';
import { clusterOf, refusedAt } from './envoy-json.ts';

const TYPES = [ProxyProtocolUpstreamTransportSchema, RawBufferSchema, UpstreamTlsContextSchema] as const;
const typed = (type: string, fields: JsonObject = {}): JsonObject => ({
  name: 'some',
  typed_config: { '@type': `type.googleapis.com/envoy.extensions.transport_sockets.${type}`, ...fields },
});
const raw = typed('raw_buffer.v3.RawBuffer');
const header = (fields: JsonObject, inner: JsonObject | undefined = raw): JsonObject =>
  typed('proxy_protocol.v3.ProxyProtocolUpstreamTransport', {
    ...fields,
    ...(inner && { transport_socket: inner }),
  });

describe("Envoy's PROXY protocol towards endpoints", () => {
  it('stands around plain text and TLS', () => {
    const plain = clusterOf({ transport_socket: header({ config: { version: 'V2' } }) }, ...TYPES);
    expect([plain.proxyProtocol, plain.tls]).toEqual([2, undefined]);
    const secured = clusterOf(
      { transport_socket: header({}, typed('tls.v3.UpstreamTlsContext', { sni: 'a.test' })) },
      ...TYPES,
    );
    expect(secured).toMatchObject({
      proxyProtocol: 1,
      tls: { serverName: 'a.test', trust: { kind: 'none' } },
    });
  });

  it('says fields besides: some of the caller’s, and its own', () => {
    const said = clusterOf(
      {
        transport_socket: header({
          config: {
            version: 'V2',
            pass_through_tlvs: { match_type: 'INCLUDE', tlv_type: [1, 225] },
            added_tlvs: [{ type: 226, value: 'AQI=' }],
          },
          allow_unspecified_address: true,
          tlv_as_pool_key: true,
        }),
      },
      ...TYPES,
    );
    expect(said.proxyHeader).toEqual({
      passes: [1, 225],
      adds: [{ type: 226, valueBase64: 'AQI=' }],
      unaddressed: true,
    });
    const all = clusterOf({ transport_socket: header({ config: { pass_through_tlvs: {} } }) }, ...TYPES);
    expect(all.proxyHeader).toEqual({ passes: 'all' });
  });

  it('may be of some endpoints', () => {
    const { tlsMatches, proxyProtocol } = clusterOf(
      {
        transport_socket_matches: [
          { name: 'told', match: { told: 'yes' }, transport_socket: header({ config: { version: 'V2' } }) },
          { name: 'rest', match: {}, transport_socket: raw },
        ],
      },
      ...TYPES,
    );
    expect(proxyProtocol).toBeUndefined();
    expect(tlsMatches).toEqual([
      { name: 'told', labels: { told: 'yes' }, proxyProtocol: 2 },
      { name: 'rest', labels: {} },
    ]);
  });

  it.each([
    ['transport_socket', header({}, header({}))],
    [
      'config.pass_through_tlvs.tlv_type[0]',
      header({ config: { pass_through_tlvs: { match_type: 'INCLUDE', tlv_type: [256] } } }),
    ],
    ['config.added_tlvs[0].type', header({ config: { added_tlvs: [{ type: 300, value: 'AA==' }] } })],
    ['config.added_tlvs[0].value', header({ config: { added_tlvs: [{ type: 3 }] } })],
    [
      'config.added_tlvs[0].format_string',
      header({
        config: {
          added_tlvs: [{ type: 3, format_string: { text_format_source: { inline_string: 'a' } } }],
        },
      }),
    ],
  ] as const)('is refused at %s', (field, socket) => {
    expect(refusedAt({ transport_socket: socket }, ...TYPES)).toEqual([
      `transport_socket.typed_config.${field}`,
    ]);
  });

  it('needs something to stand around', () => {
    const { typed_config: config } = header({});
    const { transport_socket: _, ...bare } = config as JsonObject;
    expect(refusedAt({ transport_socket: { name: 'some', typed_config: bare } }, ...TYPES)).toEqual([
      'transport_socket.typed_config.transport_socket',
    ]);
  });
});

it("Envoy's connections for each caller are taken", () => {
  expect(clusterOf({ connection_pool_per_downstream_connection: true }).pool).toEqual({
    perDownstreamConnection: true,
  });
});
