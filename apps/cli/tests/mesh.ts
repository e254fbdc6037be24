import { startControlPlane, type RunningControlPlane } from '@tulle/app-control-plane';

/** A whole control plane in the test's process, on free ports; the commands find it by the state directory. */
export async function startMesh(stateDir: string): Promise<RunningControlPlane> {
  return startControlPlane({ stateDir, trustDomain: 'test.local' });
}
