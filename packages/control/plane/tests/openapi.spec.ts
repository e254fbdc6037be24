import { Validator } from '@seriousme/openapi-schema-validator';
import type { FastifyInstance } from 'fastify';
import { expect, it } from 'vitest';
import { noMeter } from '@tulle/telemetry';
import { createApi, createControlPlane, createLoadReports, createXdsServer } from '../src/index.ts';

const hooks = {
  createJoinToken: async () => ({ token: 't', expiresAtMs: 1 }),
  joinTokens: async () => [],
  revokeJoinToken: async () => true,
  status: () => ({}),
  rotateIssuer: async () => {},
  rotateLeaves: async () => {},
  rotateRoot: async () => {},
  switchRoot: async () => {},
  removeOldRoot: async () => {},
  abandonRootRotation: async () => {},
};

/** Method and path of each route, as a request names it. */
function routesOf(app: FastifyInstance): string[] {
  const found: string[] = [];
  const stack: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([\s│]*)(?:├──|└──)\s(\S+)(?:\s\(([A-Z, ]+)\))?$/.exec(line);
    if (match === null) continue;
    const [, indent = '', part = '', methods = ''] = match;
    stack.length = indent.length / 4;
    stack.push(part);
    for (const method of methods.split(', ').filter((one) => one !== '' && one !== 'HEAD'))
      found.push(`${method} ${stack.join('').replace(/:(\w+)/g, '{$1}')}`);
  }
  return found.toSorted();
}

it('the description is valid OpenAPI, and names every route that there is and no other', async () => {
  const plane = createControlPlane({ trustDomain: 'mesh.local' });
  await using xds = await createXdsServer();
  const loadReports = createLoadReports(noMeter);
  for (const parts of [{}, { ca: hooks }, { xds, loadReports }, { ca: hooks, xds, loadReports }]) {
    const { app } = createApi({ controlPlane: plane, ...parts });
    await app.ready();
    const description = (await app.inject({ url: '/openapi.json' })).json<{
      paths: Record<
        string,
        Record<string, { operationId: string; parameters?: { in: string; name: string }[] }>
      >;
    }>();
    const { valid, errors } = await new Validator().validate(structuredClone(description));
    expect({ valid, errors }).toMatchObject({ valid: true });
    const described = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(routesOf(app));
    for (const [path, methods] of Object.entries(description.paths))
      for (const { parameters = [] } of Object.values(methods))
        expect(parameters.filter((p) => p.in === 'path').map((p) => p.name)).toEqual(
          [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        );
    const ids = Object.values(description.paths).flatMap((m) => Object.values(m).map((o) => o.operationId));
    expect(new Set(ids).size).toBe(ids.length);
    const names = JSON.stringify(description).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    const { schemas } = (description as unknown as { components: { schemas: object } }).components;
    for (const [, name] of names) expect(schemas).toHaveProperty(name as string);
    await app.close();
  }
  await plane.close();
});

it('a PUT without a resource is refused', async () => {
  const plane = createControlPlane({ trustDomain: 'mesh.local' });
  const { app } = createApi({ controlPlane: plane });
  for (const payload of ['', '---'])
    expect(
      (
        await app.inject({
          method: 'PUT',
          url: '/api/v1/resources/services/default/a',
          headers: { 'content-type': 'application/yaml' },
          payload,
        })
      ).statusCode,
    ).toBe(400);
  await app.close();
  await plane.close();
});
