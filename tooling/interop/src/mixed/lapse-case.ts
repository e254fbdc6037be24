import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case } from '../suite.ts';
import { noneFailed } from '../none-failed.ts';
import { until } from '../until.ts';
import { startLoad } from './load.ts';
import { openMixedMesh, type MixedMesh, SEATS } from './mesh.ts';
import { adminPage } from './processes.ts';

/** Lifetime of a certificate: half of it goes by without a CA, and an agent and a control plane start in the other half. */
const LEAF_SECONDS = 40;
/** From half of it on, each proxy has asked for the next one in vain. */
const PAST_HALF_MS = 3_000;

/** When the certificate ends that Envoy shows. */
async function expiryOf({ envoyAdmin }: MixedMesh): Promise<number> {
  const { certificates } = JSON.parse(await adminPage(envoyAdmin, '/certs')) as {
    readonly certificates: readonly {
      readonly cert_chain: readonly { readonly expiration_time: string }[];
    }[];
  };
  const leaves = certificates.flatMap(({ cert_chain: [leaf] }) => (leaf ? [leaf] : []));
  assert(leaves.length > 0, 'it has no certificate');
  return Math.min(...leaves.map(({ expiration_time: time }) => Date.parse(time)));
}

/** A mesh of its own, whose certificates live for moments. */
export const lapseCase: Case<unknown> = {
  name: 'a CA that is away while half of a certificate’s life goes by, and an agent that starts meanwhile, cost no call; then it is renewed',
  async run() {
    const { context: mesh, close } = await openMixedMesh(['--leaf-seconds', String(LEAF_SECONDS)]);
    try {
      const load = startLoad(
        SEATS.flatMap((caller) =>
          SEATS.map((callee) => ({
            name: `${caller} to ${callee}`,
            port: mesh.ports[caller][callee],
            path: '/shop/',
          })),
        ),
        1,
        20,
      );
      try {
        await mesh.killControlPlane();
        const before = await expiryOf(mesh);
        const pastHalf = before - (LEAF_SECONDS * 1_000) / 2 + PAST_HALF_MS;
        assert(pastHalf < before - 10_000, 'there is time to come back');
        await sleep(Math.max(0, pastHalf - Date.now()));
        assert.equal(await expiryOf(mesh), before, 'nobody renewed it');
        await mesh.restartAgent();
        await sleep(1_000);
        assert.equal(await expiryOf(mesh), before, 'the agent serves what it kept');
        await mesh.startControlPlane();
        const after = await until('the next certificate', async () => {
          const found = await expiryOf(mesh);
          assert(found > before, `it still ends at ${new Date(found).toISOString()}`);
          return found;
        });
        // Past the end of the first one.
        await sleep(Math.max(0, before - Date.now()) + 1_000);
        assert(after > before);
      } finally {
        await load.stop();
      }
      noneFailed(load.failed);
      assert(load.ok > 500, `only ${load.ok} calls`);
      return `${load.ok} calls, 0 failed`;
    } finally {
      await close();
    }
  },
};
