import { VERSION, wheel } from '../envoy/program.ts';
import { program } from '../needs.ts';
import { PROXIES, type StartProxy } from '../raw/proxies.ts';
import type { Case, Suite } from '../suite.ts';
import { datagrams } from './datagrams.ts';
import { authorityNames, runtimeLayer, timesToLive } from './names-and-times.ts';
import { scopedRoutes } from './scoped-routes.ts';
import { type Way, WAYS, wayText } from './setting.ts';

const [FIRST] = WAYS as readonly [Way];

/** One after the other for both proxies. */
function pair(
  what: string,
  way: Way,
  run: (start: StartProxy, way: Way) => Promise<string>,
): Case<undefined>[] {
  return PROXIES.map(([name, start]) => ({
    name: `${name}, ${wayText(way)}: ${what}`,
    run: async () => run(start, way),
  }));
}

export const rawPairsSuite: Suite<undefined> = {
  name: 'raw-pairs',
  about: `The same resources as they are put, given to Envoy ${VERSION} and to Tulle by Tulle's raw xDS server`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open: async () => ({ context: undefined, close: async () => {} }),
  cases: [
    ...WAYS.flatMap((way) => pair('scopes of routes come, change and go', way, scopedRoutes)),
    ...WAYS.filter(({ single }) => !single).flatMap((way) =>
      pair('datagrams go to an endpoint and back', way, datagrams),
    ),
    ...WAYS.filter(({ single }) => !single).flatMap((way) =>
      pair('a listener lives as long as it is said again', way, timesToLive),
    ),
    ...pair('names that say their authority, and a directory of listeners', FIRST, authorityNames),
    // Layers of the runtime are refused by Tulle, by path.
    ...WAYS.map((way) => ({
      name: `Envoy, ${wayText(way)}: a layer of the runtime changes what a route takes`,
      run: async () => runtimeLayer(PROXIES[0]?.[1] as StartProxy, way),
    })),
  ],
};
