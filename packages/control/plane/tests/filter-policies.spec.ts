import { readResources } from '@tulle/resources';
import { expect, it } from 'vitest';
import { createApi, createControlPlane, type ControlPlane } from '../src/index.ts';
import { nodeOf } from './nodes.ts';

const SERVICES = ['reviews', 'ratings']
  .map(
    (name) =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ port: 80 }] }\n`,
  )
  .join('---\n');
const policy = (name: string, spec: string): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: ${name} }\nspec: { filter: tulle-filter-waf, ${spec} }\n`;
const target = (name: string): string => `targetRefs: [{ group: '', kind: Service, name: ${name} }]`;

async function made(text: string): Promise<ControlPlane> {
  const cp = createControlPlane({ trustDomain: 'mesh.local' });
  const { resources, diagnostics } = await readResources([{ text, file: 'x.yaml' }]);
  expect(diagnostics).toEqual([]);
  cp.apply(
    resources.map(({ resource }) => resource),
    [],
  );
  return cp;
}

it('a policy is accepted unless a proxy that it is for lacks its filter, and says which', async () => {
  const cp = await made(
    SERVICES +
      policy('at-reviews', target('reviews')) +
      policy('of-callers', `direction: outbound, ${target('reviews')}`) +
      policy('ratings', target('ratings')) +
      policy('all', 'phase: connection'),
  );
  const server = (app: string, port: number): ReturnType<typeof nodeOf> =>
    nodeOf({ workload: app, labels: { app }, ports: [port], inbound: { port: port + 1 } });
  const reviews = server('reviews', 5001);
  const ratings = server('ratings', 5003);
  const withFilter = { ...ratings, extensions: [...ratings.extensions, 'tulle-filter-waf@1.0.0'] };
  const caller = nodeOf({ workload: 'web', upstreams: [{ service: 'reviews', localPort: 9000 }] });
  for (const node of [reviews, withFilter, caller]) cp.provider.open(node);

  const status = cp.status().filterPolicies;
  expect(Object.fromEntries(status.map(({ name, lacking }) => [name, lacking]))).toEqual({
    'default/at-reviews': [reviews.id],
    'default/of-callers': [caller.id],
    'default/ratings': [],
    'default/all': [reviews.id],
  });
  expect(status.map(({ accepted }) => accepted)).toEqual([false, false, true, false]);

  const api = createApi({ controlPlane: cp });
  const get = async (name: string): Promise<unknown> =>
    (await api.app.inject({ url: `/api/v1/resources/FilterPolicy/default/${name}` })).json();
  expect(await get('at-reviews')).toMatchObject({
    conditions: [
      {
        type: 'Accepted',
        status: 'False',
        reason: 'FilterAbsent',
        message: `tulle-filter-waf is lacking in ${reviews.id}`,
      },
    ],
  });
  expect(await get('ratings')).toMatchObject({ conditions: [{ type: 'Accepted', status: 'True' }] });
  await api.close();
  await cp.close();
});
