import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';

/** Layers of the runtime and what their keys come to, as Envoy's `/runtime` has them; this proxy reads none of them. */
export function runtimePage({ layeredRuntime }: Bootstrap): unknown {
  const layers = layeredRuntime?.layers ?? [];
  const entries: Record<string, { final_value: string; layer_values: string[] }> = {};
  for (const [index, { layerSpecifier: layer }] of layers.entries()) {
    if (layer.case !== 'staticLayer') continue;
    for (const [key, value] of flatten(layer.value)) {
      const entry = (entries[key] ??= { final_value: '', layer_values: layers.map(() => '') });
      entry.layer_values[index] = value;
      entry.final_value = value;
    }
  }
  return { layers: layers.map(({ name }) => name), entries };
}

function flatten(values: Readonly<Record<string, unknown>>, prefix = ''): [string, string][] {
  return Object.entries(values).flatMap(([key, value]): [string, string][] => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value as Readonly<Record<string, unknown>>, name)
      : [[name, typeof value === 'string' ? value : JSON.stringify(value)]];
  });
}
