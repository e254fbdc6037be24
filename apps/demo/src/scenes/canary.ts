import { directoryHash } from '../directory-hash.ts';
import { load } from '../load.ts';
import type { Report } from '../report.ts';
import type { Shop } from '../shop.ts';
import { servicesDirectory } from '../tulle.ts';

const REQUESTS = 10_000;

/** Scene 2: traffic moves between versions as told, and away from a bad one. */
export async function canary(shop: Shop, report: Report): Promise<void> {
  report.scene('2. Canary');
  const hash = directoryHash(servicesDirectory);
  const port = shop.front.upstreamPort('reviews');
  const counted = async (version: string, status: number): Promise<number> =>
    shop.front.admin.sum('tulle_requests_total', {
      direction: 'outbound',
      destination_version: version,
      response_code: String(status),
    });

  for (const [v1, v2] of [
    [95, 5],
    [50, 50],
    [0, 100],
  ] as const) {
    await shop.apply(`canary-${v1}-${v2}.yaml`);
    const before = { v1: await counted('v1', 200), v2: await counted('v2', 200) };
    const run = await load({
      port,
      requests: REQUESTS,
      request: (i) => ({ path: `/reviews/${i}` }),
      classify: (_, body) => /"version":"(v\d)"/.exec(body)?.[1] ?? 'none',
    });
    const got = { v1: run.classes.get('v1') ?? 0, v2: run.classes.get('v2') ?? 0 };
    const share = v2 / 100;
    const sigma = Math.sqrt(REQUESTS * share * (1 - share));
    const errors = REQUESTS - (run.statuses.get(200) ?? 0);
    report.claim(
      `${v1}/${v2}: version 2 gets its share within 5 σ`,
      Math.abs(got.v2 - REQUESTS * share) <= 5 * sigma && errors === 0,
      `${got.v2} of ${REQUESTS} (set ${REQUESTS * share} ± ${Math.round(5 * sigma)}), ${errors} errors`,
    );
    const said = { v1: (await counted('v1', 200)) - before.v1, v2: (await counted('v2', 200)) - before.v2 };
    report.claim(
      'the metrics say the same of both versions',
      said.v1 === got.v1 && said.v2 === got.v2,
      `counted ${said.v1} for v1, ${said.v2} for v2`,
    );
  }

  const bad = await shop.startReviews('v3', { BROKEN: '1' });
  try {
    await shop.apply('bad-release.yaml');
    const during = await load({ port, requests: 1000, request: (i) => ({ path: `/reviews/${i}` }) });
    const seen = await counted('v3', 500);
    await shop.apply('canary-0-100.yaml');
    const after = await load({ port, requests: 1000, request: (i) => ({ path: `/reviews/${i}` }) });
    const errors = 1000 - (after.statuses.get(200) ?? 0);
    report.claim(
      'a bad version shows in the metrics and is taken out',
      seen > 0 && seen === during.statuses.get(500) && errors === 0,
      `${seen} errors counted for v3, ${during.statuses.get(500) ?? 0} seen by callers; ${errors} errors after it was taken out`,
    );
  } finally {
    await bad.stop();
  }
  report.claim(
    'the services are what they were',
    directoryHash(servicesDirectory) === hash,
    `SHA-256 ${hash.slice(0, 16)}…, before and after`,
  );
}
