import type { ChangeFigures, MeshFigures } from './run.ts';

/** A promise (design: reliability, promise 6), and how it was kept. */
export interface Kept {
  readonly promise: string;
  readonly found: string;
  readonly ok: boolean;
}

/** Most that a response of an endpoint's change may differ between meshes: the change's id gets longer as they come. */
const ID_BYTES = 16;

/** Judges what was measured. Only what a run's sizes say something of is judged. */
export function judge(meshes: readonly MeshFigures[]): Kept[] {
  return [...meshes.flatMap(speed), ...meshes.flatMap(memory), ...bytes(meshes)];
}

function speed(mesh: MeshFigures): Kept[] {
  const at = `${mesh.proxies} proxies, ${mesh.services} Services`;
  return mesh.changes.flatMap(({ change, p50Ms, p99Ms }): Kept[] => {
    const p99 = mesh.proxies <= 100 ? 500 : 2_000;
    return [
      ...(mesh.proxies <= 100 ? [within(`${at}: ${change}, p50`, p50Ms, 150, 'ms')] : []),
      ...(mesh.proxies <= 2_000 ? [within(`${at}: ${change}, p99`, p99Ms, p99, 'ms')] : []),
    ];
  });
}

function memory(mesh: MeshFigures): Kept[] {
  if (mesh.proxies > 2_000 || mesh.services > 1_000) return [];
  return [
    within(
      `${mesh.proxies} proxies, ${mesh.services} Services: memory at most`,
      mesh.peakRssMb,
      1_536,
      'MiB',
    ),
  ];
}

/** One endpoint's change costs the same bytes, however many Services there are. */
function bytes(meshes: readonly MeshFigures[]): Kept[] {
  const kept: Kept[] = [];
  for (const mesh of meshes) {
    const larger = meshes.find(
      ({ proxies, services }) => proxies === mesh.proxies && services > mesh.services,
    );
    if (larger === undefined) continue;
    for (const { change, bytesPerProxy } of mesh.changes) {
      const other = endpointChange(larger, change);
      if (other === undefined) continue;
      kept.push({
        promise: `${change}: as many bytes with ${larger.services} Services as with ${mesh.services}`,
        found: `${bytesPerProxy.toFixed(0)} and ${other.bytesPerProxy.toFixed(0)} a proxy`,
        ok: Math.abs(other.bytesPerProxy - bytesPerProxy) <= ID_BYTES,
      });
    }
  }
  return kept;
}

function endpointChange(mesh: MeshFigures, change: string): ChangeFigures | undefined {
  return change.startsWith('an endpoint') ? mesh.changes.find((one) => one.change === change) : undefined;
}

function within(promise: string, value: number, limit: number, unit: string): Kept {
  return {
    promise: `${promise} ≤ ${limit} ${unit}`,
    found: Number.isNaN(value) ? 'no proxy confirmed one' : `${value.toFixed(unit === 'ms' ? 1 : 0)} ${unit}`,
    // What was not measured is not kept.
    ok: value <= limit,
  };
}
