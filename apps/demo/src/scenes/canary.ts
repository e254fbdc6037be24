import { route } from '@tulle/proxy';
import { directoryHash } from '../directory-hash.ts';
import { load } from '../load.ts';
import { sum } from '../metrics.ts';
import type { Report } from '../report.ts';
import { servicesDirectory, startReviews } from '../services.ts';
import type { Shop } from '../shop.ts';
import { meshCluster, reroute, spiffeId, startSidecar } from '../sidecar.ts';

const REQUESTS = 10_000;

/** Scene 2: traffic moves between versions as told, and away from a bad one. */
export async function canary(shop: Shop, report: Report): Promise<void> {
  report.scene('2. Canary');
  const hash = directoryHash(servicesDirectory);
  const port = shop.frontSidecar.port('to-reviews');
  const answered = (version: string): number =>
    sum(shop.frontSidecar.metrics(), 'tulle_requests_total', {
      listener: 'to-reviews',
      destination_version: version,
      response_code: '200',
    });

  for (const [v1, v2] of [
    [95, 5],
    [50, 50],
    [0, 100],
  ] as const) {
    await reroute(shop.frontSidecar, 'reviews', {
      routes: [
        route(
          '/',
          [
            { name: 'reviews-v1', weight: v1 },
            { name: 'reviews-v2', weight: v2 },
          ],
          { name: 'reviews' },
        ),
      ],
    });
    const before = answered('v2');
    const run = await load({
      port,
      requests: REQUESTS,
      request: (i) => ({ path: `/reviews/${i}` }),
      classify: (_, body) => /"version":"(v\d)"/.exec(body)?.[1] ?? 'none',
    });
    const got = run.classes.get('v2') ?? 0;
    const share = v2 / 100;
    const sigma = Math.sqrt(REQUESTS * share * (1 - share));
    const counted = answered('v2') - before;
    report.claim(
      `${v1}/${v2}: v2 gets its share within 5 σ`,
      Math.abs(got - REQUESTS * share) <= 5 * sigma && run.statuses.get(200) === REQUESTS,
      `${got} of ${REQUESTS} (set ${REQUESTS * share} ± ${Math.round(5 * sigma)}), ${REQUESTS - (run.statuses.get(200) ?? 0)} errors`,
    );
    report.claim('the metrics say the same of both versions', counted === got, `counted ${counted} for v2`);
  }

  const bad = await startReviews({ VERSION: 'v3', BROKEN: '1' });
  const badSidecar = await startSidecar({
    ca: shop.ca,
    service: 'reviews',
    appPort: bad.port,
    policies: [
      { name: 'default/only-front', action: 'ALLOW', rules: [{ from: { identities: [spiffeId('front')] } }] },
    ],
  });
  try {
    await reroute(shop.frontSidecar, 'reviews', {
      clusters: [
        meshCluster('reviews-v3', 'reviews', [badSidecar.port('inbound')], 'v3', {
          outlier: { consecutiveFailures: 0 },
        }),
      ],
      routes: [
        route(
          '/',
          [
            { name: 'reviews-v2', weight: 80 },
            { name: 'reviews-v3', weight: 20 },
          ],
          { name: 'reviews' },
        ),
      ],
    });
    const during = await load({ port, requests: 1000, request: (i) => ({ path: `/reviews/${i}` }) });
    const seen = sum(shop.frontSidecar.metrics(), 'tulle_requests_total', {
      destination_version: 'v3',
      response_code: '500',
    });
    await reroute(shop.frontSidecar, 'reviews', { routes: [route('/', 'reviews-v2', { name: 'reviews' })] });
    const after = await load({ port, requests: 1000, request: (i) => ({ path: `/reviews/${i}` }) });
    report.claim(
      'a bad version shows in the metrics and is taken out',
      seen > 0 && seen === during.statuses.get(500) && after.statuses.get(200) === 1000,
      `${seen} errors of v3 counted, ${1000 - (after.statuses.get(200) ?? 0)} errors after it was taken out`,
    );
  } finally {
    await badSidecar.stop();
    await bad.stop();
  }
  report.claim(
    'the services are what they were',
    directoryHash(servicesDirectory) === hash,
    `SHA-256 ${hash.slice(0, 16)}…`,
  );
}
