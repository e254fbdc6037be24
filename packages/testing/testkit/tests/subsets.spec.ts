import { httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

function split(): Promise<TestProxy> {
  const subset = (stage: string) => [{ name: 'api', subset: { stage } }];
  return started({
    listeners: [
      httpListener({
        port: 8080,
        routes: [route('/canary', subset('canary')), route('/nowhere', subset('nowhere')), route('/', 'api')],
      }),
      tcpListener({ name: 'tcp', port: 8081, cluster: subset('canary') }),
    ],
    clusters: [
      {
        name: 'api',
        subsets: {
          fallback: 'default',
          defaultSubset: { stage: 'prod' },
          selectors: [{ keys: ['stage'], fallback: 'none' }],
        },
        discovery: {
          kind: 'static',
          endpoints: ['prod', 'prod', 'canary'].map((stage, index) => ({
            address: { host: `10.0.0.${index}`, port: 80 },
            labels: { stage },
          })),
        },
      },
    ],
    upstreams: {
      '10.0.0.0:80': () => ({ body: 'prod' }),
      '10.0.0.1:80': () => ({ body: 'prod' }),
      '10.0.0.2:80': () => ({ body: 'canary' }),
    },
  });
}

describe('a route to a subset of a cluster', () => {
  it('reaches only endpoints with the labels that it asks for', async () => {
    const test = await split();
    const answers = async (path: string): Promise<string[]> => {
      const bodies = new Set<string>();
      for (let i = 0; i < 10; i++) bodies.add((await test.client().request({ path })).body);
      return [...bodies];
    };
    expect(await answers('/canary')).toEqual(['canary']);
    expect(await answers('/')).toEqual(['prod']);
    expect((await test.client().request({ path: '/nowhere' })).status).toBe(503);
  });

  it('is where a chain of TCP leads that asks for its labels', async () => {
    const test = await split();
    const bodies = new Set<string>();
    for (let i = 0; i < 10; i++) bodies.add((await test.client({ listener: 'tcp' }).request()).body);
    expect([...bodies]).toEqual(['canary']);
  });
});
