import { startLoad } from './load.ts';
import { startMesh, until } from './mesh.ts';
import { service } from './resources.ts';
import type { Report } from './report.ts';

/** Kept-alive connections that close without a word, over five restarts: what a client that honours `Connection: close` may meet. */
const IDLE_CLOSES_IN_FIVE = 30;

/** Every process of a mesh is restarted in turn, again and again, under load. */
export async function restarts(
  checkout: string,
  wanted: { readonly rounds: number; readonly requests: number },
  report: Report,
): Promise<void> {
  const mesh = await startMesh();
  try {
    await mesh.startControlPlane(checkout);
    const web = await mesh.startSidecar(checkout, 'web');
    const caller = await mesh.startSidecar(checkout, 'caller');
    await mesh.apply(checkout, [service]);
    await until('that calls pass', caller.process, async () => (await mesh.get('/')) === 200);
    const load = startLoad(mesh.callerPort);
    const startedMs = performance.now();
    for (let round = 0; round < wanted.rounds; round++) {
      for (const sidecar of [web, caller]) await sidecar.restart();
      await mesh.stopControlPlane();
      await mesh.startControlPlane(checkout);
      for (const sidecar of [web, caller])
        await until('that it is connected again', sidecar.process, async () => sidecar.connected());
    }
    const restartedMs = performance.now() - startedMs;
    while (load.counts.fresh < wanted.requests) await new Promise((resolve) => setTimeout(resolve, 50));
    const counts = await load.stop();
    const most = Math.ceil((IDLE_CLOSES_IN_FIVE * wanted.rounds) / 5);
    report.claim(
      `${wanted.rounds} restarts of every process in turn lose no request on a new connection`,
      counts.freshFailed === 0 && counts.fresh >= wanted.requests,
      `${counts.freshFailed} of ${counts.fresh} failed (asked for ${wanted.requests}); the restarts took ${(restartedMs / 1000).toFixed(0)} s`,
    );
    report.claim(
      'and none on kept-alive ones, which are seldom closed without a word',
      counts.keptFailed === 0 && counts.idleCloses + counts.quietCloses <= most,
      `${counts.keptFailed} of ${counts.kept} failed; ${counts.quietCloses} connections were closed while idle without a word before, and ${counts.idleCloses} more under a request that was sent again (together at most ${most})`,
    );
    for (const failure of counts.failures) report.note(failure);
  } finally {
    await mesh.close();
  }
}
