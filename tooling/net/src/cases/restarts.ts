import { deepStrictEqual as same } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Mesh } from '../mesh.ts';
import { until } from '../until.ts';

const RESTARTS = 3;
/** Longer than connections are asked to close: what is open then lives on as long as it wants. */
const DRAIN_WINDOW_MS = 5_000;
const PAST_THE_WINDOW_MS = DRAIN_WINDOW_MS + 1_000;
/** As long as the supervisor waits for an engine process: this load alone keeps two processors busy, and beside others a start took 11 s. */
const START_LIMIT_MS = 30_000;

/** What the load program prints. */
interface Load {
  readonly answered: number;
  readonly failures: readonly string[];
  readonly before: string;
  readonly after: string;
}

export const restarts: readonly Case<Mesh>[] = [
  {
    name: `${RESTARTS} restarts of a sidecar under load, both ways: no new connection is refused or fails, and a WebSocket lives on`,
    async run(mesh) {
      const loads = [mesh.startLoad('host', 'pod'), mesh.startLoad('pod', 'plain')];
      for (const load of loads) await load.said(/^open$/m);
      const tookMs: number[] = [];
      for (let n = 0; n < RESTARTS; n++) {
        const startedMs = performance.now();
        const before = await mesh.sidecarGeneration();
        process.kill(mesh.sidecar.pid, 'SIGHUP');
        await until(
          async () => (await mesh.sidecarGeneration()) > before,
          'another engine serves',
          START_LIMIT_MS,
        );
        tookMs.push(performance.now() - startedMs);
      }
      await new Promise((resolve) => setTimeout(resolve, PAST_THE_WINDOW_MS));
      const results = [];
      for (const load of loads) {
        mesh.stopLoad(load);
        const { code, out, err } = await load.ended;
        if (code !== 0) throw new Error(`the load ended with ${code}: ${err}`);
        results.push(JSON.parse(out.trim().split('\n').at(-1) ?? '') as Load);
      }
      // Into the namespace, and out of it.
      for (const [at, { answered: _, ...rest }] of results.entries())
        same(
          rest,
          { failures: [], before: 'before', after: 'after' },
          `${at === 0 ? 'into' : 'out of'} the namespace: ${JSON.stringify(rest)}`,
        );
      return `${results.map(({ answered }) => answered).join(' + ')} calls on new connections, 0 failed; another engine served after ${tookMs.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s`;
    },
  },
];
