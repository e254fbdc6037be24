import type { BootstrapOverload } from '@tulle/envoy-bootstrap';
import type { OverloadOptions } from '@tulle/proxy';

/** What one of several engine processes may use of limits that are those of the proxy. */
export function overloadFor({ limits, ...rest }: BootstrapOverload, workers: number): OverloadOptions {
  const share = (limit: number | undefined): number | undefined =>
    limit === undefined ? undefined : Math.ceil(limit / workers);
  const memoryBytes = share(limits?.memoryBytes);
  const downstreamConnections = share(limits?.downstreamConnections);
  return {
    ...rest,
    limits: {
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(downstreamConnections !== undefined && { downstreamConnections }),
    },
  };
}
