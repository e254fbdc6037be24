import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { type Bootstrap, BootstrapSchema } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import {
  type UpstreamTlsContext,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { HttpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { envoyBootstrap, type EnvoyBootstrapOptions } from './envoy-bootstrap.ts';

const OPTIONS: EnvoyBootstrapOptions = {
  agentSocket: '/run/tulle/sds.sock',
  xds: ['127.0.0.1:15012', '[::1]:15012'],
  trustDomain: 'example.org',
  spiffeId: 'spiffe://example.org/ns/default/sa/web',
  instance: 'web-1',
  workload: 'web',
  locality: { region: 'eu', zone: 'one' },
  metadata: { workload: 'web' },
  admin: { path: '/run/tulle/envoy.sock' },
};

/** As Envoy reads it: a field that there is not is an error. */
function read(options: Partial<EnvoyBootstrapOptions> = {}): Bootstrap {
  const registry = createRegistry(UpstreamTlsContextSchema, HttpProtocolOptionsSchema);
  const json = envoyBootstrap({ ...OPTIONS, ...options }) as JsonValue;
  return fromJson(BootstrapSchema, JSON.parse(JSON.stringify(json)) as JsonValue, { registry });
}

const tlsOf = ({ staticResources }: Bootstrap, name: string): UpstreamTlsContext | undefined => {
  const socket = staticResources?.clusters.find((cluster) => cluster.name === name)?.transportSocket;
  return socket?.configType.case === 'typedConfig'
    ? anyUnpack(socket.configType.value, UpstreamTlsContextSchema)
    : undefined;
};

describe('the bootstrap of an Envoy', () => {
  it('names the agent for certificate and roots, and the one control plane that is believed', () => {
    const bootstrap = read();
    expect(bootstrap.node).toMatchObject({
      id: 'spiffe://example.org/ns/default/sa/web~web-1',
      locality: { region: 'eu', zone: 'one', subZone: '' },
      metadata: { workload: 'web', certificate: { sdsCluster: 'tulle-agent', roots: true } },
    });
    const tls = tlsOf(bootstrap, 'tulle-control-plane')?.commonTlsContext;
    expect(tls?.tlsCertificateSdsSecretConfigs.map(({ name }) => name)).toEqual(['default']);
    expect(tls?.validationContextType).toMatchObject({
      case: 'combinedValidationContext',
      value: {
        validationContextSdsSecretConfig: { name: 'ROOTCA' },
        defaultValidationContext: {
          matchTypedSubjectAltNames: [
            {
              sanType: 3,
              matcher: {
                matchPattern: {
                  case: 'exact',
                  value: 'spiffe://example.org/ns/tulle-system/sa/control-plane',
                },
              },
            },
          ],
        },
      },
    });
    const [agent] = bootstrap.staticResources?.clusters ?? [];
    expect(agent?.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier).toMatchObject({
      value: { address: { address: { case: 'pipe', value: { path: '/run/tulle/sds.sock' } } } },
    });
    expect(bootstrap.admin?.address?.address).toMatchObject({ case: 'pipe', value: { mode: 0o600 } });
  });

  it('looks names of control planes up, and refuses what is no address', () => {
    const type = (xds: string[]): unknown => read({ xds }).staticResources?.clusters[1]?.clusterDiscoveryType;
    expect(type(['127.0.0.1:15012'])).toMatchObject({ value: 0 }); // STATIC
    expect(type(['plane.example.org:15012'])).toMatchObject({ value: 1 }); // STRICT_DNS
    expect(() => read({ xds: ['plane'] })).toThrow('"plane" is not host:port');
  });

  it('has a cluster for the collector of traces, whose name is checked where it is https', () => {
    const telemetry = (endpoint: string): Partial<EnvoyBootstrapOptions> => ({
      telemetry: { accessLogFile: '/log', traces: { endpoint, serviceName: 'web.default', ratio: 1 } },
    });
    const plain = read(telemetry('http://127.0.0.1:4318/'));
    expect(plain.node?.metadata).toMatchObject({
      telemetry: {
        accessLogFile: '/log',
        tracing: {
          cluster: 'tulle-otlp',
          url: 'http://127.0.0.1:4318/v1/traces',
          serviceName: 'web.default',
          ratio: 1,
        },
      },
    });
    expect(tlsOf(plain, 'tulle-otlp')).toBeUndefined();
    const secure = tlsOf(read(telemetry('https://otlp.example.org')), 'tulle-otlp');
    expect(secure?.sni).toBe('otlp.example.org');
    expect(secure?.commonTlsContext?.validationContextType).toMatchObject({
      value: { systemRootCerts: {}, matchTypedSubjectAltNames: [{ sanType: 2 }] },
    });
  });
});
