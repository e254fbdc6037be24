import type { TestMeshOptions } from './mesh-options.ts';
import type { TestMesh } from './test-mesh.ts';

/**
 * Starts a mesh in memory and virtual time. Stop it at the end of the test, or declare it with `await using`.
 *
 * ```ts
 * await using mesh = await createTestMesh({
 *   filters: standardFilters,
 *   services: { web: {}, orders: [{ version: 'v1' }, { version: 'v2' }] },
 *   resources: readFileSync('canary.yaml', 'utf8'),
 * });
 * const { status } = await mesh.request({ from: 'web', to: 'orders', path: '/' });
 * mesh.calls('orders'); // { v1: 1, v2: 0 }
 * ```
 * @throws Error with every fault of the resources
 */
export async function createTestMesh(options: TestMeshOptions): Promise<TestMesh> {
  // Loaded when it is used: the tests of a single filter need no control plane.
  const { startMesh } = await import('./start-mesh.ts');
  return startMesh(options);
}
