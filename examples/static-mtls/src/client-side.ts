import { createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import type { IdentityFiles } from '@tulle/spiffe';
import { idOf } from './names.ts';

/**
 * The proxy beside the caller: plain HTTP on loopback in, mutual TLS out. Whoever answers at `server` must prove that it
 * is `payments`; another workload of the same CA will not do.
 */
export function clientSide(options: {
  readonly identity: IdentityFiles;
  /** On loopback; 0 takes a free one. */
  readonly port: number;
  /** `host:port` of the other side. */
  readonly server: { readonly host: string; readonly port: number };
}): Proxy {
  return createProxy({
    identity: options.identity,
    listeners: [
      httpListener({
        name: 'local',
        port: options.port,
        direction: 'outbound',
        identityHeaders: 'keep', // only the caller itself reaches this listener
        routes: [route('/', 'payments')],
      }),
    ],
    clusters: [
      {
        name: 'payments',
        discovery: {
          kind: 'static',
          endpoints: [{ address: options.server, identity: idOf('payments'), mode: 'sidecar' }],
        },
        tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
      },
    ],
  });
}
