import { program } from '../needs.ts';
import type { Suite } from '../suite.ts';
import { inboundCases } from './inbound-cases.ts';
import { type Mesh, openMesh } from './mesh.ts';
import { outboundCases } from './outbound-cases.ts';
import { VERSION, wheel } from './program.ts';
import { stateOfTheWorldCases } from './state-of-the-world-cases.ts';
import { troubleCases } from './trouble-cases.ts';

export const envoySuite: Suite<Mesh> = {
  name: 'envoy',
  about: `Envoy ${VERSION} with Tulle's control plane as its ADS server`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open: openMesh,
  cases: [...outboundCases, ...inboundCases, ...stateOfTheWorldCases, ...troubleCases],
};
