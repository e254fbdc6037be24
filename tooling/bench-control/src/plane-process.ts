/** A control plane as `tulle control-plane` runs it, on free ports of loopback; ends on SIGTERM. */
import { startControlPlane } from '@tulle/app-control-plane';
import type { PlaneAddresses } from './plane.ts';

const [stateDir] = process.argv.slice(2);
if (stateDir === undefined) throw new Error('a state directory is needed');
const silent = { debug() {}, info() {}, warn() {}, error: console.error };
const running = await startControlPlane({ stateDir, log: silent });
const { xds, api, apiSecret } = running.endpoints;
process.send?.({ xds, api, apiSecret } satisfies PlaneAddresses);
process.once('SIGTERM', () => {
  void running.close().then(() => process.exit(0)); // an exit, so that a profile is written
});
process.once('disconnect', () => process.exit(1));
