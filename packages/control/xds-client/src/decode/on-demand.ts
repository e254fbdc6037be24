import { isMessage } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { ForwardAction, OnDemand, OnDemandClusters } from '@tulle/model';
import { FilterConfigSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import {
  type OnDemand as EnvoyOnDemand,
  type OnDemandCds,
  PerRouteConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/on_demand/v3/on_demand';
import { readSource } from './config-source.ts';
import { type DecodeContext, typeNameOf } from './context.ts';
import { sourceText } from './discovery-source.ts';
import { milliseconds, present } from './values.ts';

/** The filter by which requests wait for what is not there yet. */
export function decodeOnDemand(context: DecodeContext, { odcds }: EnvoyOnDemand, path: string): OnDemand {
  return present({ clusters: odcds && decodeClusters(context, odcds, `${path}.odcds`) });
}

function decodeClusters(
  context: DecodeContext,
  { source: config, timeout }: OnDemandCds,
  path: string,
): OnDemandClusters | undefined {
  const read = readSource(context, config, `${path}.source`);
  if (!read) return undefined;
  const { source } = read;
  if (source.kind !== 'ads' && (source.kind !== 'grpc' || source.api !== 'delta')) {
    context.refuse(
      `${path}.source`,
      'must be ads or DELTA_GRPC: with all there is in every answer a cluster cannot be asked for by itself',
    );
    return undefined;
  }
  context.looksIn(source);
  return present({ source: sourceText(source), timeoutMs: milliseconds(timeout) });
}

/** Overrides of filters, and what they say of clusters on demand; `undefined`: nothing. */
export interface OnDemandOverride {
  readonly overrides: { readonly [slot: string]: Any };
  readonly onDemand: ForwardAction['onDemand'];
}

/** Name by which Envoy's documentation has the filter in every chain. */
const USUAL_NAME = 'envoy.filters.http.on_demand';

/** Waiting is the engine's: what routes say of the filter goes to their actions. */
export function takeOnDemand(
  context: DecodeContext,
  configs: { readonly [slot: string]: Any },
  path: string,
): OnDemandOverride {
  for (const [slot, any] of Object.entries(configs)) {
    const type = typeNameOf(any);
    if (
      type !== PerRouteConfigSchema.typeName &&
      (type !== FilterConfigSchema.typeName || slot !== USUAL_NAME)
    )
      continue;
    const { [slot]: _, ...overrides } = configs;
    const here = `${path}[${JSON.stringify(slot)}]`;
    const message = context.open(any, here);
    if (!message) return { overrides, onDemand: undefined };
    if (isMessage(message, PerRouteConfigSchema))
      return {
        overrides,
        onDemand: (message.odcds && decodeClusters(context, message.odcds, `${here}.odcds`)) ?? 'none',
      };
    if (isMessage(message, FilterConfigSchema) && message.config && !message.disabled)
      return takeOnDemand(context, { ...overrides, [slot]: message.config }, path);
    return {
      overrides,
      onDemand: isMessage(message, FilterConfigSchema) && message.disabled ? 'none' : undefined,
    };
  }
  return { overrides: configs, onDemand: undefined };
}
