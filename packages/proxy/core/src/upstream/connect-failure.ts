import type { ErrorCode } from '@tulle/filter';
import type { SocketFault } from '../ports.ts';
import type { EndpointPool } from './endpoint-pool.ts';

/** Counts and tells that an endpoint could not be connected. @returns what that is to those who wait */
export function failureOf(
  { cluster, counts, address }: Pick<EndpointPool, 'cluster' | 'counts' | 'address'>,
  fault: SocketFault,
): ErrorCode {
  const { metrics, engine, name } = cluster;
  metrics.connectFailures.add();
  counts.connectFailures++;
  if (fault.kind === 'timeout') {
    metrics.connectTimeouts.add();
    return 'TULLE_UPSTREAM_CONNECT_TIMEOUT';
  }
  if (fault.kind !== 'identity' && fault.kind !== 'tls') return 'TULLE_UPSTREAM_CONNECT';
  metrics.tlsRefused(fault.reason);
  engine.log.warn(`endpoint ${address} of cluster ${name} refused: ${fault.message}`, {
    cluster: name,
    endpoint: address,
    reason: fault.reason,
  });
  return fault.kind === 'identity' ? 'TULLE_UPSTREAM_IDENTITY' : 'TULLE_UPSTREAM_TLS';
}
