import { authz } from '@tulle/filter-authz';
import { cluster, createProxy, httpListener, route, type AdminAddress, type Proxy } from '@tulle/proxy';
import type { IdentityFiles } from '@tulle/spiffe';
import { prometheus } from '@tulle/telemetry-prometheus';
import { idOf } from './names.ts';

/**
 * The proxy in front of the service: mutual TLS in, plain HTTP on loopback out. A caller without an SVID of the trust domain
 * does not get past the handshake; of those with one, `checkout` may charge and everybody may ask for the health.
 */
export function serverSide(options: {
  readonly identity: IdentityFiles;
  readonly port: number;
  /** Default loopback; `0.0.0.0` for other machines. */
  readonly host?: string;
  /** `host:port` of the service. */
  readonly origin: string;
  readonly admin?: AdminAddress;
}): Proxy {
  return createProxy({
    identity: options.identity,
    telemetry: [prometheus()],
    ...(options.admin === undefined ? {} : { admin: options.admin }),
    listeners: [
      httpListener({
        name: 'mesh',
        host: options.host ?? '127.0.0.1',
        port: options.port,
        direction: 'inbound',
        tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
        filters: [
          authz({
            policies: [
              {
                name: 'shop/checkout-charges',
                action: 'ALLOW',
                rules: [
                  {
                    from: { identities: [idOf('checkout')] },
                    to: { methods: ['POST'], paths: ['/charges'] },
                  },
                ],
              },
              {
                name: 'shop/health',
                action: 'ALLOW',
                rules: [{ to: { methods: ['GET'], paths: ['/healthz'] } }],
              },
            ],
          }),
        ],
        routes: [route('/', 'app')],
      }),
    ],
    clusters: [cluster('app', [options.origin])],
  });
}
