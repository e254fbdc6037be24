// A control plane that applies one generation after another, as fast as it can, until it is killed. It says on standard
// output which generation it found in its state, and then each one whose apply has returned.
import { writeSync } from 'node:fs';
import { createControlPlane } from '../src/control-plane.ts';
import { fileState } from '../src/state-file.ts';
import { generationOf, resourcesOf } from './generations.ts';

const controlPlane = createControlPlane({
  trustDomain: 'mesh.local',
  state: fileState(process.argv[2] as string),
});
let generation = generationOf(controlPlane.resources().map(({ resource }) => resource));
writeSync(1, `found ${generation}\n`);
for (;;) {
  generation++;
  const { changeId, refused } = controlPlane.apply(resourcesOf(generation), []);
  if (changeId === undefined) throw new Error(JSON.stringify(refused));
  writeSync(1, `applied ${generation}\n`);
}
