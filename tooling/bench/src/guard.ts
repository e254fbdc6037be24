import type { EngineLoad } from './engine-cost.ts';

/** Bytes that a request may allocate, some 30 % over what it does: a new object a request shows, noise does not. */
export const MOST_BYTES: Readonly<Record<string, number>> = {
  bare: 950,
  mesh: 1650,
  'bare http2': 450,
  'mesh http2': 950,
};
/** How many times what forwarding alone costs the engine the mesh set may cost; it is 1.7 to 1.9. */
export const MOST_MESH_RATIO = 2.4;

/** Sentences about bounds that do not hold; empty where all do. */
export function overBounds(loads: readonly EngineLoad[]): string[] {
  const own = loads.filter(({ subject }) => subject === 'tulle');
  const over = own.flatMap(({ load, bytesPerRequest }) => {
    const most = MOST_BYTES[load] ?? Number.POSITIVE_INFINITY;
    return bytesPerRequest <= most
      ? []
      : [
          `FAILED ${load}: a request allocates ${bytesPerRequest.toFixed(0)} bytes, at most ${most} are allowed`,
        ];
  });
  const [bare, mesh] = ['bare', 'mesh'].map((name) => own.find(({ load }) => load === name)?.userUs);
  if (bare === undefined || mesh === undefined)
    return [...over, 'FAILED: bare and mesh were not both measured'];
  const ratio = mesh / bare;
  return ratio <= MOST_MESH_RATIO
    ? over
    : [
        ...over,
        `FAILED mesh: ${ratio.toFixed(2)} times the user time of forwarding alone, at most ${MOST_MESH_RATIO} are allowed`,
      ];
}
