import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { type DecodeContext, typeNameOf } from './context.ts';
import { hasNoEffect } from './no-effect.ts';
import { structOf } from './values.ts';

/** Filters of connections to endpoints: of Istio's, which tell peers about each other, nothing comes here; there are no others. */
export function checkClusterFilters(context: DecodeContext, { filters }: Cluster): void {
  for (const [index, { typedConfig }] of filters.entries()) {
    if (hasNoEffect(typeNameOf(typedConfig))) continue;
    const path = `filters[${index}].typed_config`;
    const message = context.open(typedConfig, path);
    const struct = message && structOf(message);
    if (message && !(struct && hasNoEffect(struct.name)))
      context.refuse(
        path,
        `${struct?.name ?? message.$typeName} is no filter of connections to endpoints that this proxy has`,
      );
  }
}
