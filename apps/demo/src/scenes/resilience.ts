import http from 'node:http';
import { route } from '@tulle/proxy';
import { load, quantile, send } from '../load.ts';
import { sum } from '../metrics.ts';
import type { Report } from '../report.ts';
import { startReviews } from '../services.ts';
import type { Shop } from '../shop.ts';
import { meshCluster, reroute, spiffeId, startSidecar } from '../sidecar.ts';

/** Scene 3: things break, and callers are spared what can be spared. */
export async function resilience(shop: Shop, report: Report): Promise<void> {
  report.scene('3. Resilience');
  const port = shop.frontSidecar.port('to-reviews');
  const policies = [
    {
      name: 'default/only-front',
      action: 'ALLOW' as const,
      rules: [{ from: { identities: [spiffeId('front')] } }],
    },
  ];
  const twins = await Promise.all([startReviews({ VERSION: 'v1' }), startReviews({ VERSION: 'v1' })]);
  const sidecars = await Promise.all(
    twins.map((twin) => startSidecar({ ca: shop.ca, service: 'reviews', appPort: twin.port, policies })),
  );
  try {
    const all = {
      ...meshCluster(
        'reviews-all',
        'reviews',
        sidecars.map((side) => side.port('inbound')),
        'v1',
      ),
      balance: { policy: 'round-robin' as const },
    };
    await reroute(shop.frontSidecar, 'reviews', {
      clusters: [all],
      routes: [route('/', 'reviews-all', { name: 'reviews' })],
    });
    let killedAt = 0;
    let ejectedAfterMs = Number.NaN;
    const ejected = (): number =>
      sum(shop.frontSidecar.metrics(), 'tulle_cluster_outlier_detection_ejections_active', {
        cluster: 'reviews-all',
      });
    let done = 0;
    const run = await load({
      port,
      requests: 6000,
      request: (i) =>
        i % 4 === 3 ? { method: 'POST', path: `/orders/${i}`, body: '{}' } : { path: `/reviews/${i}` },
      classify: (status, _, i) => `${i % 4 === 3 ? 'POST' : 'GET'} ${status < 400 ? 'ok' : String(status)}`,
      progress: () => {
        done++;
        if (done === 1500) {
          killedAt = performance.now();
          void twins[0].kill().then(() => sidecars[0]?.stop());
        }
        if (killedAt > 0 && Number.isNaN(ejectedAfterMs) && done % 10 === 0 && ejected() === 1)
          ejectedAfterMs = performance.now() - killedAt;
      },
    });
    const getErrors = [...run.classes]
      .filter(([kind]) => kind.startsWith('GET') && kind !== 'GET ok')
      .reduce((n, [, count]) => n + count, 0);
    const postErrors = [...run.classes]
      .filter(([kind]) => kind.startsWith('POST') && kind !== 'POST ok')
      .reduce((n, [, count]) => n + count, 0);
    report.claim(
      'an instance dies under load and no idempotent request fails',
      killedAt > 0 && getErrors === 0 && run.failed === 0,
      `${getErrors} of ${run.classes.get('GET ok') ?? 0} GETs failed; ${postErrors} POSTs failed, which must not be sent twice`,
    );
    report.claim(
      'it is ejected within 3 s',
      ejectedAfterMs < 3000,
      Number.isNaN(ejectedAfterMs) ? 'never' : `${Math.round(ejectedAfterMs)} ms after the kill`,
    );
    const counts = JSON.parse(
      (await send(undefined, twins[1].port, { path: '/orders/counts' })).body,
    ) as Record<string, number>;
    const twice = Object.values(counts).filter((count) => count > 1).length;
    report.claim(
      'no order arrives twice',
      twice === 0,
      `${Object.keys(counts).length} orders at the surviving origin, ${twice} of them more than once`,
    );
  } finally {
    for (const sidecar of sidecars) await sidecar.stop();
    for (const twin of twins) await twin.stop();
  }

  const toV1 = (options: object): Parameters<typeof reroute>[2] => ({
    routes: [route('/', 'reviews-v1', { name: 'reviews', ...options })],
  });
  await reroute(
    shop.frontSidecar,
    'reviews',
    toV1({ filterConfigs: { 'tulle.http.fault': { delay: { durationMs: 200, percent: 100 } } } }),
  );
  const delayed = await load({ port, requests: 100, request: () => ({ path: '/reviews/1' }) });
  report.claim(
    'an injected delay shows',
    quantile(delayed.latenciesMs, 0) >= 195 && delayed.statuses.get(200) === 100,
    `fastest of 100 took ${quantile(delayed.latenciesMs, 0).toFixed(0)} ms, set 200`,
  );

  await reroute(
    shop.frontSidecar,
    'reviews',
    toV1({ filterConfigs: { 'tulle.http.fault': { abort: { status: 418, percent: 30 } } } }),
  );
  const aborted = await load({ port, requests: 2000, request: () => ({ path: '/reviews/1' }) });
  const aborts = aborted.statuses.get(418) ?? 0;
  report.claim(
    'an injected abort shows',
    Math.abs(aborts - 600) <= 5 * Math.sqrt(2000 * 0.3 * 0.7),
    `${aborts} of 2000 aborted, set 600 ± ${Math.round(5 * Math.sqrt(420))}`,
  );

  await reroute(
    shop.frontSidecar,
    'reviews',
    toV1({
      filterConfigs: {
        'tulle.http.ratelimit': { limits: [{ name: 'slow', requests: 1, intervalMs: 60_000, burst: 50 }] },
      },
    }),
  );
  const limited = await load({ port, requests: 200, request: () => ({ path: '/reviews/1' }) });
  report.claim(
    'a rate limit holds',
    limited.statuses.get(200) === 50 && limited.statuses.get(429) === 150,
    `${limited.statuses.get(200) ?? 0} passed, set 50; ${limited.statuses.get(429) ?? 0} got 429`,
  );

  const slow = await startReviews({ VERSION: 'v1', DELAY_MS: '400' });
  const slowSidecar = await startSidecar({ ca: shop.ca, service: 'reviews', appPort: slow.port, policies });
  try {
    await reroute(shop.frontSidecar, 'reviews', {
      clusters: [
        meshCluster('reviews-slow', 'reviews', [slowSidecar.port('inbound')], 'v1', {
          limits: { maxRequests: 10 },
        }),
      ],
      routes: [route('/', 'reviews-slow', { name: 'reviews' })],
    });
    const agent = new http.Agent({ maxSockets: 40 });
    const statuses = await Promise.all(
      Array.from({ length: 40 }, () =>
        send(agent, port, { path: '/reviews/1' }).then((answer) => answer.status),
      ),
    );
    agent.destroy();
    const passed = statuses.filter((status) => status === 200).length;
    report.claim(
      'the circuit limit holds',
      passed === 10 && statuses.filter((status) => status === 503).length === 30,
      `${passed} of 40 at once passed, set 10; the rest got 503`,
    );
  } finally {
    await slowSidecar.stop();
    await slow.stop();
  }
  await reroute(shop.frontSidecar, 'reviews', toV1({}));
}
