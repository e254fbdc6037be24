import type { Endpoint } from '@tulle/model';
import type { ClientTls } from '../ports.ts';

/** Whether TLS of the cluster is used for this endpoint (model `Endpoint.mode`). */
export function usesTls(cluster: { readonly tls: ClientTls | undefined }, endpoint: Endpoint): boolean {
  return cluster.tls !== undefined && endpoint.mode !== 'none';
}
