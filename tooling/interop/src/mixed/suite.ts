import { VERSION, wheel } from '../envoy/program.ts';
import { program } from '../needs.ts';
import type { Suite } from '../suite.ts';
import { mixedCases } from './cases.ts';
import { lapseCase } from './lapse-case.ts';
import { type MixedMesh, openMixedMesh } from './mesh.ts';

export const mixedSuite: Suite<MixedMesh> = {
  name: 'mixed',
  about: `a mesh of Tulle's sidecar and Envoy ${VERSION}, whose certificates come from tulle agent`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open: async () => openMixedMesh(),
  cases: [...mixedCases, lapseCase],
};
