import { strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Mesh } from '../mesh.ts';
import { until } from '../until.ts';

/** Longer than a connection takes that nobody holds: one that was refused or went past the sidecar has said so by then. */
const HELD_MS = 700;

export const startOrder: readonly Case<Mesh>[] = [
  {
    name: 'what a program begins before its sidecar has a configuration waits for it, names and connections',
    run: async (mesh) =>
      mesh.besideOutsider(async () => {
        try {
          await mesh.rejoinPod();
          await until(() => mesh.pod.tables().length > 0, 'the rules are in force');
          let settled = 0;
          const asked = [
            mesh.askFromPod([['http', 'plain', '80']]),
            mesh.askFromPod([['raw', '10.77.0.1', '7070', 'hello']]),
            mesh.askFromPod([['raw', 'fd77::1', '7070', 'hello']]),
          ].map(async (answers) => answers.finally(() => settled++));
          const all = Promise.all(asked);
          all.catch(() => {}); // told below, unless something else is before
          await new Promise((resolve) => setTimeout(resolve, HELD_MS));
          is(settled, 0, 'somebody was answered without a configuration');
          mesh.control.goOn();
          const [byName, four, six] = (await all).map(([answer]) => answer);
          is(byName?.['name'], 'plain', JSON.stringify(byName));
          is(four?.['heard'], '10.77.0.2 said hello', JSON.stringify(four));
          is(six?.['heard'], 'fd77::2 said hello', JSON.stringify(six));
        } finally {
          mesh.control.goOn();
        }
        await mesh.sidecar.said(/takes calls from now on/);
      }),
  },
];
