import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Endpoint, HttpHandler, Listener, RouteConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { ClusterLoadAssignmentSchema } from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { OpenTelemetryConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/opentelemetry';
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { type EncodeForm, OLDER_OWN_FORM, OWN_FORM } from './form.ts';
import { encodeResource } from './resource.ts';

const ENVOY: EncodeForm = {
  workloadCertificate: { kind: 'sds', cluster: 'agent', roots: false },
  release: 'this',
};

const GRPC: EncodeForm = {
  seat: 'grpc',
  workloadCertificate: { kind: 'provider', name: 'tulle' },
  release: 'this',
};

const listener = (handler: Partial<HttpHandler> = {}): Listener => ({
  name: 'inbound',
  address: { host: '127.0.0.1', port: 15006 },
  direction: 'inbound',
  filterChains: [
    {
      name: 'http',
      handler: { kind: 'http', routes: { routeConfigName: 'routes' }, filters: [], ...handler },
    },
  ],
});

function managerOf(form: EncodeForm, handler?: Partial<HttpHandler>): HttpConnectionManager {
  const message = anyUnpack(encodeResource('listener', listener(handler), form), ListenerSchema);
  const config = message?.filterChains[0]?.filters[0]?.configType;
  const manager =
    config?.case === 'typedConfig' ? anyUnpack(config.value, HttpConnectionManagerSchema) : undefined;
  if (manager === undefined) throw new Error('there is no HttpConnectionManager');
  return manager;
}

describe('a client that is not of Tulle', () => {
  it("tells its service by a header who called, as Tulle's engine does without being told", () => {
    const { forwardClientCertDetails, setCurrentClientCertDetails } = managerOf(ENVOY);
    expect(forwardClientCertDetails).toBe(ForwardClientCert.SANITIZE_SET);
    expect(setCurrentClientCertDetails?.uri).toBe(true);
    expect(managerOf(OWN_FORM).forwardClientCertDetails).toBe(ForwardClientCert.SANITIZE);
    expect(managerOf(ENVOY, { identityHeaders: 'keep' }).forwardClientCertDetails).toBe(
      ForwardClientCert.ALWAYS_FORWARD_ONLY,
    );
  });

  it('is given no endpoint that is reached by a tunnel, and told where there is no other', () => {
    const tunnelled: Endpoint = { address: { host: '10.0.0.1', port: 80 }, mode: 'hbone' };
    const beside: Endpoint = { address: { host: '10.0.0.2', port: 80 }, mode: 'sidecar' };
    const given = (form: EncodeForm, ...endpoints: Endpoint[]): number | undefined =>
      anyUnpack(encodeResource('endpoint', { name: 'a', endpoints }, form), ClusterLoadAssignmentSchema)
        ?.endpoints[0]?.lbEndpoints.length;
    for (const form of [ENVOY, GRPC, OLDER_OWN_FORM]) {
      expect(given(form, tunnelled, beside)).toBe(1);
      expect(() => given(form, tunnelled)).toThrow('/endpoints: all are reached by tunnels');
    }
    expect(given(OWN_FORM, tunnelled, beside)).toBe(2);
  });

  it('gets the access log and the traces that it asks for, beside those of the configuration', () => {
    const tracing = {
      cluster: 'otlp',
      url: 'http://127.0.0.1:4318/v1/traces',
      serviceName: 'web',
      ratio: 0.25,
    };
    const own = { name: 'own', to: { kind: 'stdout' }, format: { text: '%PROTOCOL%' } } as const;
    const manager = managerOf(
      { ...ENVOY, telemetry: { accessLogFile: '/var/log/envoy.log', tracing } },
      { accessLogs: [own] },
    );
    expect(manager.accessLog.map(({ name }) => name)).toEqual(['own', 'tulle.requested']);
    expect(manager.tracing?.randomSampling?.value).toBe(25);
    const provider = manager.tracing?.provider?.configType;
    expect(
      provider?.case === 'typedConfig' && anyUnpack(provider.value, OpenTelemetryConfigSchema),
    ).toMatchObject({ serviceName: 'web', httpService: { httpUri: { uri: tracing.url } } });
    expect(managerOf(ENVOY).tracing).toBeUndefined();
    expect(managerOf(ENVOY).accessLog).toEqual([]);
  });

  /** What is sent again, by route: with `GET` in front where the route is for idempotent requests only. */
  const retried = (
    config: unknown,
    form: EncodeForm,
    name = 'outbound|80||web.default.svc.mesh.local',
  ): string[] => {
    const routes: RouteConfig = {
      name,
      virtualHosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            {
              name: 'all',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'forward', clusters: [{ name: 'web' }], perTryTimeoutMs: 500 },
              ...(config === undefined ? {} : { filterConfigs: { 'tulle.http.retry': config } }),
            },
          ],
        },
      ],
    };
    const message = anyUnpack(encodeResource('route', routes, form), RouteConfigurationSchema);
    return (message?.virtualHosts[0]?.routes ?? []).map(({ match, action }) => {
      const policy = action.case === 'route' ? action.value.retryPolicy : undefined;
      expect(policy?.perTryTimeout?.nanos).toBe(500_000_000);
      const only = match?.headers.some(({ name: field }) => field === ':method') === true ? 'GET ' : '';
      return `${only}${policy?.retryOn} ${policy?.numRetries ?? '-'}`;
    });
  };
  const UNSENT = 'connect-failure,refused-stream,reset-before-request';

  it.each([
    [['status-codes'], ['GET retriable-status-codes 2', ' 2']],
    [
      ['connect-failure', 'gateway-error'],
      [`GET ${UNSENT},gateway-error 2`, `${UNSENT} 2`],
    ],
    [['connect-failure', 'unavailable'], [`${UNSENT},unavailable 2`]],
  ])('repeats for %j what is idempotent, and of the rest what was not sent', (on, expected) => {
    expect(retried({ retries: 2, on, statusCodes: [503] }, ENVOY)).toEqual(expected);
    expect(retried({ retries: 2, on, statusCodes: [503] }, OWN_FORM)).toHaveLength(1);
  });

  it("repeats on its way to others what Tulle's chains do by default, unless it or a route says otherwise", () => {
    const form: EncodeForm = { ...ENVOY, retries: 'default' };
    expect(retried(undefined, form)).toEqual([`GET ${UNSENT},reset 2`, `${UNSENT} 2`]);
    expect(retried({ retries: 0, on: [] }, form)).toEqual([' 0']);
    expect(retried(undefined, ENVOY)).toEqual([' -']);
    expect(retried(undefined, OWN_FORM)).toEqual([' -']);
    expect(retried(undefined, form, 'inbound|80||web.default.svc.mesh.local')).toEqual([' -']);
  });
});
