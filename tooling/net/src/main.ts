/**
 * `pnpm test:net [TEXT]`: programs that know nothing of a mesh, in network namespaces and on a plain host, whose connections the kernel leads to
 * their sidecars. As root, with `ip` and `nft`; skipped with the reason elsewhere. With TEXT, only cases whose name contains it.
 */
import { runnable } from '@tulle/interop/suite';
import { families } from './cases/families.ts';
import { kills } from './cases/kills.ts';
import { protocols } from './cases/protocols.ts';
import { refusals } from './cases/refusals.ts';
import { restarts } from './cases/restarts.ts';
import { serverFirst } from './cases/server-first.ts';
import { Mesh } from './mesh.ts';
import { namespaces } from './network.ts';

const suite = runnable<Mesh>({
  name: 'capture',
  about: 'a program in a namespace, and one on a plain host, captured both ways',
  needs: [namespaces],
  async open() {
    const mesh = new Mesh();
    try {
      await mesh.open();
    } catch (error) {
      await mesh.close();
      throw error;
    }
    return { context: mesh, close: async () => mesh.close() };
  },
  cases: [...protocols, ...serverFirst, ...families, ...refusals, ...kills, ...restarts].filter(({ name }) =>
    name.includes(process.argv[2] ?? ''),
  ),
});

const { passed, failed, skipped } = await suite.run((line) => console.log(line));
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
