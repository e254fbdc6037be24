import { strict as assert } from 'node:assert';
import type { Case } from '../suite.ts';
import { until } from '../until.ts';
import { ask, kindsOf, type Mesh, WARM_MS } from './mesh.ts';

/** What goes wrong; the last one ends the control plane. */
export const troubleCases: readonly Case<Mesh>[] = [
  {
    name: 'what Envoy refuses is in the status, with its reason, and what it has stays',
    async run(mesh) {
      // A listener on a port that somebody else has: valid for Tulle, impossible for this Envoy.
      await mesh.startEnvoy('refuser', mesh.origins[0]);
      await until(
        'a NACK of the listener',
        () => {
          const kinds = kindsOf(mesh, 'refuser');
          assert.equal(kinds['listener']?.state, 'NACKED', JSON.stringify(kinds));
          assert.match(kinds['listener'].error ?? '', /[Aa]ddress already in use/);
          assert.equal(kinds['cluster']?.state, 'SYNCED');
        },
        WARM_MS,
      );
      assert.match(await ask(`${mesh.local}/`), /^200 one/);
      assert.equal(kindsOf(mesh, 'caller')['listener']?.state, 'SYNCED');
    },
  },
  {
    name: 'Envoy goes on with what it has when the control plane dies',
    async run(mesh) {
      await mesh.controlPlane.close();
      assert.match(await ask(`${mesh.local}/`), /^200 one/);
    },
  },
];
