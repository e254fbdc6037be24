import { credentials } from '@grpc/grpc-js';
import { isTulleError } from '@tulle/filter';
import { seededRandom, testProxy } from '@tulle/testkit';
import { createXdsClient, type XdsApi } from '@tulle/xds-client';
import { createXdsServer } from '@tulle/xds-server';
import { describe, expect, it } from 'vitest';
import { generations, type Generation, type Place } from './generations.ts';
import { type Answer, askUntil, faultOf, type Question, questionsOf } from './judge.ts';

const LISTENERS: readonly Place[] = [8001, 8002, 8003].map((port) => ({ host: '10.1.0.1', port }));
const ORIGINS: readonly Place[] = [1, 2, 3, 4].map((i) => ({ host: `10.0.0.${i}`, port: 80 }));
const COUNT = process.env['TULLE_NIGHTLY'] === '1' ? 1_000 : 200;

describe.each<XdsApi>(['delta', 'state-of-the-world'])('a proxy that speaks %s', (api) => {
  it(`takes ${COUNT} snapshots of chance, and answers by what was published alone while it does`, async () => {
    await using server = await createXdsServer();
    const test = await testProxy({
      config: { version: '', listeners: [], routes: [], clusters: [], endpoints: [] },
      upstreams: Object.fromEntries(
        ORIGINS.map(({ host, port }) => [`${host}:${port}`, () => ({ body: `${host}:${port}` })]),
      ),
    });
    const xds = createXdsClient({
      targets: [server.target],
      channel: () => ({ credentials: credentials.createInsecure() }),
      node: { id: 'proxy', extensions: [] },
      api,
      async onConfig(config) {
        try {
          await test.proxy.update(config);
          return { ok: true };
        } catch (error) {
          if (!isTulleError(error)) throw error;
          return { ok: false, issues: error.issues };
        }
      },
    });
    const ask = async ({ listener, path }: Question): Promise<Answer> => {
      const client = test.client({ listener: `listener-${listener}` });
      const { status, body, header } = await client.request({ path, headers: { connection: 'close' } });
      return { listener, path, status, routes: header('x-routes') ?? '', origin: body };
    };
    let asked = 0;
    try {
      await xds.start();
      const allowed: Generation[] = [];
      for (const generation of generations({
        random: seededRandom(20_26),
        listeners: LISTENERS,
        origins: ORIGINS,
      })) {
        const { version, changes } = generation;
        const what = `${version}: ${changes.join(', ')}`;
        allowed.push(generation);
        server.setSnapshot('proxy', generation.resources, { version });
        const taken = server.acked('proxy');
        const during = await askUntil(taken, allowed, ask);
        asked += during.asked;
        expect(during.faults, what).toEqual([]);
        await taken.catch((error: unknown) => expect.fail(`${what}: ${String(error)}`));
        // Of the ones before nothing is left.
        allowed.splice(0, allowed.length - 1);
        for (const question of questionsOf(allowed))
          expect(faultOf(await ask(question), allowed), what).toBeUndefined();
        expect(Object.keys(test.proxy.addresses()).toSorted(), what).toEqual(
          [...generation.answers.keys()].map((at) => `listener-${at}`).toSorted(),
        );
        await test.clock.advance(1_000);
        if (version === `g${COUNT}`) break;
      }
    } finally {
      await xds.stop();
      await test.stop();
    }
    expect(asked).toBeGreaterThan(COUNT);
  }, 120_000);
});
