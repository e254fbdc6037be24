import { authz } from '@tulle/filter-authz';
import { headers } from '@tulle/filter-headers';
import { rateLimit } from '@tulle/filter-ratelimit';
import { retry } from '@tulle/filter-retry';
import { cluster, createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { prometheus } from '@tulle/telemetry-prometheus';

/** A reverse proxy for one API: no admin paths from outside, ten requests a second a caller, idempotent requests retried. */
export function reverseProxy(options: { readonly port: number; readonly origin: string }): Proxy {
  return createProxy({
    listeners: [
      httpListener({
        name: 'web',
        port: options.port,
        filters: [
          authz({
            policies: [{ name: 'no-admin', action: 'DENY', rules: [{ to: { paths: ['/admin*'] } }] }],
          }),
          rateLimit({ limits: [{ name: 'per-caller', requests: 10, burst: 20, by: ['address'] }] }),
          headers({ response: { set: [{ name: 'x-served-by', value: 'tulle' }] } }),
          retry({ retries: 2 }),
        ],
        routes: [route('=/healthz', { kind: 'direct', status: 200, body: 'ok\n' }), route('/', 'api')],
      }),
    ],
    clusters: [cluster('api', [options.origin], { outlier: { consecutiveFailures: 5 } })],
    telemetry: [prometheus()],
  });
}
