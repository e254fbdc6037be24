import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { HttpHandler, Listener, RouteConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { OpenTelemetryConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/opentelemetry';
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { type EncodeForm, OWN_FORM } from './form.ts';
import { encodeResource } from './resource.ts';

const ENVOY: EncodeForm = {
  workloadCertificate: { kind: 'sds', cluster: 'agent', roots: false },
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

  it.each([
    ['own', 'status-codes', 0],
    ['sds', 'status-codes', 1],
    ['sds', 'reset', 1],
    ['sds', 'connect-failure', 0],
    ['sds', 'unavailable', 0],
  ] as const)(
    'of certificate %s: a retry for %s has %d condition on the method',
    (kind, reason, conditions) => {
      const routes: RouteConfig = {
        name: 'routes',
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                name: 'all',
                match: { path: { kind: 'prefix', value: '/' } },
                action: { kind: 'forward', clusters: [{ name: 'web' }] },
                filterConfigs: { 'tulle.http.retry': { retries: 2, on: [reason], statusCodes: [503] } },
              },
            ],
          },
        ],
      };
      const form = kind === 'own' ? OWN_FORM : ENVOY;
      const message = anyUnpack(encodeResource('route', routes, form), RouteConfigurationSchema);
      const action = message?.virtualHosts[0]?.routes[0]?.action;
      const headers =
        action?.case === 'route' ? action.value.retryPolicy?.retriableRequestHeaders : undefined;
      expect(headers).toHaveLength(conditions);
      if (conditions === 1) expect(headers?.[0]?.name).toBe(':method');
    },
  );

  it('sends again what reached nobody, on its way to others, unless it asked not to', () => {
    const retryOn = (name: string, form: EncodeForm): string | undefined => {
      const routes: RouteConfig = { name, virtualHosts: [{ name: 'all', domains: ['*'], routes: [] }] };
      const message = anyUnpack(encodeResource('route', routes, form), RouteConfigurationSchema);
      return message?.virtualHosts[0]?.retryPolicy?.retryOn;
    };
    const [outbound, inbound] = [
      'outbound|80||web.default.svc.mesh.local',
      'inbound|80||web.default.svc.mesh.local',
    ];
    const unsent: EncodeForm = { ...ENVOY, retries: 'unsent' };
    expect(retryOn(outbound, unsent)).toBe('connect-failure,refused-stream,reset-before-request');
    expect(retryOn(inbound, unsent)).toBeUndefined();
    expect(retryOn(outbound, ENVOY)).toBeUndefined();
    expect(retryOn(outbound, OWN_FORM)).toBeUndefined();
  });
});
