import { CONTINUE, defineHttpFilter } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
import { standardFilters } from '@tulle/standard';
import { createTestMesh } from '@tulle/testkit/mesh';
import { expect, it } from 'vitest';

const mark = defineHttpFilter({
  apiVersion: 1,
  id: 'tulle-filter-mark',
  effects: 'none',
  config: jsonSchema<{ readonly value: string }>({
    type: 'object',
    additionalProperties: false,
    required: ['value'],
    properties: { value: { type: 'string' } },
  }),
  create: () => ({
    responseHeaders(stream, config) {
      stream.response.headers.set('x-mark', config.value);
      return CONTINUE;
    },
  }),
});
const policy = (config: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: mark }
spec: { targetRefs: [{ group: '', kind: Service, name: orders }], filter: tulle-filter-mark, config: ${config} }
`;

it('a policy puts a filter of your own into the chains that it is for', async () => {
  await using mesh = await createTestMesh({
    filters: [...standardFilters, mark],
    services: { web: {}, orders: {}, stock: {} },
  });
  await expect(mesh.apply(policy('{ valeu: yes }'))).rejects.toThrow(/valeu/);
  await mesh.apply(policy('{ value: here }'));
  expect((await mesh.request({ from: 'web', to: 'orders' })).header('x-mark')).toBe('here');
  expect((await mesh.request({ from: 'web', to: 'stock' })).header('x-mark')).toBeUndefined();
});

it('where a proxy lacks the filter, the policy says so and the rest works on', async () => {
  await using mesh = await createTestMesh({
    filters: [...standardFilters, mark],
    services: { web: {}, orders: [{ version: 'old', filters: standardFilters }, { version: 'new' }] },
    resources: policy('{ value: here }'),
  });
  const [old] = mesh.instances('orders', 'old');
  expect(mesh.status().filterPolicies).toMatchObject([
    { name: 'default/mark', accepted: false, lacking: [`${old?.identity}~orders-old-0`] },
  ]);
  const marks = new Set<string | undefined>();
  for (let i = 0; i < 20; i++)
    marks.add((await mesh.request({ from: 'web', to: 'orders' })).header('x-mark'));
  expect(marks).toEqual(new Set([undefined, 'here']));
});
