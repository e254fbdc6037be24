import { isMessage } from '@bufbuild/protobuf';
import type { OverloadManager, Trigger } from '@tulle/xds-proto/envoy/config/overload/v3/overload';
import { DownstreamConnectionsConfigSchema } from '@tulle/xds-proto/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections';
import { FixedHeapConfigSchema } from '@tulle/xds-proto/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap';
import { openAny } from './types.ts';

type Action = 'stop-accepting-requests' | 'stop-accepting-connections' | 'disable-keepalive';
type Resource = 'memory' | 'downstream-connections';

/** When an action is taken: `OverloadTrigger` of `@tulle/proxy`. */
export type OverloadTriggerText = { readonly resource: Resource } & (
  | { readonly threshold: number }
  | { readonly scaling: { readonly from: number; readonly saturated: number } }
);

/** How load is shed: what of `OverloadOptions` of `@tulle/proxy` an OverloadManager says. Limits are those of the whole proxy. */
export interface BootstrapOverload {
  readonly limits?: { readonly memoryBytes?: number; readonly downstreamConnections?: number };
  readonly actions?: Partial<Readonly<Record<Action, readonly OverloadTriggerText[]>>>;
  readonly intervalMs?: number;
}

/** Envoy's actions in words of this proxy. */
const ACTIONS: Readonly<Record<string, Action>> = {
  'envoy.overload_actions.stop_accepting_requests': 'stop-accepting-requests',
  'envoy.overload_actions.disable_http_keepalive': 'disable-keepalive',
  'envoy.overload_actions.stop_accepting_connections': 'stop-accepting-connections',
  // Envoy refuses with a reset instead of not accepting; a share of connections is closed here in both cases.
  'envoy.overload_actions.reject_incoming_connections': 'stop-accepting-connections',
};
/** V8 gives memory back by itself. */
const SHRINK_HEAP = 'envoy.overload_actions.shrink_heap';

/**
 * Envoy's heap is all of its memory, so a fixed heap is a limit of the resident memory here.
 * @returns `undefined` where nothing is said
 */
export function readOverload(
  manager: OverloadManager | undefined,
  refuse: (path: string, message: string) => void,
  note: (text: string) => void,
): BootstrapOverload | undefined {
  if (manager === undefined) return undefined;
  const limits: { memoryBytes?: number; downstreamConnections?: number } = {};
  const resources = new Map<string, Resource>();
  for (const [index, { name, configType }] of manager.resourceMonitors.entries()) {
    const path = `overload_manager.resource_monitors[${index}]`;
    const config = configType.case === 'typedConfig' ? openAny(configType.value) : undefined;
    if (config !== undefined && isMessage(config, FixedHeapConfigSchema)) {
      limits.memoryBytes = Number(config.maxHeapSizeBytes);
      resources.set(name, 'memory');
    } else if (config !== undefined && isMessage(config, DownstreamConnectionsConfigSchema)) {
      limits.downstreamConnections = Number(config.maxActiveDownstreamConnections);
      resources.set(name, 'downstream-connections');
    } else if (configType.case === undefined) refuse(`${path}.typed_config`, 'is missing');
    else refuse(`${path}.typed_config`, 'must be a FixedHeapConfig or a DownstreamConnectionsConfig');
  }
  const actions: Partial<Record<Action, OverloadTriggerText[]>> = {};
  for (const [index, { name, triggers, typedConfig }] of manager.actions.entries()) {
    const path = `overload_manager.actions[${index}]`;
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (name === SHRINK_HEAP) {
      note(`overload_manager: ${SHRINK_HEAP} does nothing; memory that is free is given back anyway`);
      continue;
    }
    if (typedConfig !== undefined) refuse(`${path}.typed_config`, 'is not supported');
    if (action === undefined) {
      refuse(
        `${path}.name`,
        `must be one of ${[...Object.keys(ACTIONS), SHRINK_HEAP].join(', ')}, but is ${JSON.stringify(name)}`,
      );
      continue;
    }
    const read = triggers.flatMap((trigger, at) =>
      readTrigger(trigger, resources, `${path}.triggers[${at}]`, refuse),
    );
    actions[action] = [...(actions[action] ?? []), ...read];
  }
  if (manager.loadshedPoints.length > 0)
    refuse('overload_manager.loadshed_points', 'are not supported; give actions');
  if (manager.bufferFactoryConfig !== undefined)
    refuse('overload_manager.buffer_factory_config', 'is not supported');
  const interval = manager.refreshInterval;
  return {
    limits,
    actions,
    ...(interval && { intervalMs: Number(interval.seconds) * 1000 + interval.nanos / 1e6 }),
  };
}

function readTrigger(
  { name, triggerOneof: kind }: Trigger,
  resources: ReadonlyMap<string, Resource>,
  path: string,
  refuse: (path: string, message: string) => void,
): OverloadTriggerText[] {
  const resource = resources.get(name);
  if (resource === undefined) {
    refuse(`${path}.name`, `names no resource monitor of this configuration: ${JSON.stringify(name)}`);
    return [];
  }
  if (kind.case === 'threshold') return [{ resource, threshold: kind.value.value }];
  if (kind.case === 'scaled')
    return [
      { resource, scaling: { from: kind.value.scalingThreshold, saturated: kind.value.saturationThreshold } },
    ];
  refuse(path, 'must have a threshold or be scaled');
  return [];
}
