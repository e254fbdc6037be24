import type { Endpoint } from '@tulle/model';
import type { ClientTls } from '../ports.ts';

/** TLS that is spoken to this endpoint (model `Endpoint.mode`); `undefined`: plain text. */
export function tlsOf(
  cluster: { readonly tls: ClientTls | undefined },
  endpoint: Endpoint,
): ClientTls | undefined {
  return endpoint.mode === 'none' ? undefined : cluster.tls;
}
