import type { Kept } from './promises.ts';
import type { MeshFigures } from './run.ts';

const COLUMNS = ['proxies', 'p50 ms', 'p99 ms', 'max ms', 'arrived p99', 'bytes/proxy', 'CPU ms'];

/** What a mesh cost, for people. */
export function table(mesh: MeshFigures): string {
  const { join } = mesh;
  return [
    `${mesh.proxies} proxies, ${mesh.services} Services with ${mesh.endpoints} endpoints each beside them, ${mesh.upstreams} upstreams a proxy`,
    `  joined in ${(join.tookMs / 1000).toFixed(1)} s with ${(join.cpuMs / 1000).toFixed(1)} s of CPU, ${(join.bytesPerProxy / 1024).toFixed(1)} KiB each; memory ${mesh.rssMb.toFixed(0)} MiB, ${mesh.peakRssMb.toFixed(0)} at most`,
    `  ${'one change of'.padEnd(34)}${COLUMNS.map((name) => name.padStart(12)).join('')}`,
    ...mesh.changes.map((one) =>
      [
        `  ${one.change.padEnd(34)}`,
        ...[
          String(one.proxies),
          one.p50Ms.toFixed(1),
          one.p99Ms.toFixed(1),
          one.maxMs.toFixed(1),
          one.arrivedP99Ms.toFixed(1),
          one.bytesPerProxy.toFixed(0),
          one.cpuMs.toFixed(1),
        ].map((cell) => cell.padStart(12)),
      ].join(''),
    ),
  ].join('\n');
}

/** One line a promise. */
export function verdicts(kept: readonly Kept[]): string {
  return kept.map(({ promise, found, ok }) => `  ${ok ? '√' : '×'} ${promise}: ${found}`).join('\n');
}
