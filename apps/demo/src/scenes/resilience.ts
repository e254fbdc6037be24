import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { load, quantile, send, type LoadResult } from '../load.ts';
import type { Report } from '../report.ts';
import type { Shop } from '../shop.ts';
import { until } from '../until.ts';

/** Scene 3: things break, and callers are spared what can be spared. */
export async function resilience(shop: Shop, report: Report): Promise<void> {
  report.scene('3. Resilience');
  await shop.apply('canary-100-0.yaml');
  await death(shop, report);
  await faults(shop, report);
  await circuit(shop, report);
}

/** An instance dies under load, with its sidecar, in the middle of requests; nobody tells the callers. */
async function death(shop: Shop, report: Report): Promise<void> {
  const port = shop.front.upstreamPort('reviews');
  const twin = await shop.startReviews('v1');
  await shop.apply('round-robin.yaml');
  const { admin } = shop.front;
  const isPost = (i: number): boolean => i % 4 === 3;
  const answeredByTwin = await until('that both instances are called', async () => {
    const { body } = await send(undefined, port, { path: '/reviews/1' });
    return body.includes(`"port":${twin.port}`) ? true : undefined;
  });
  const ejections = async (): Promise<number> =>
    admin.sum('tulle_cluster_outlier_detection_ejections_enforced_total');
  const before = await ejections();

  // The control plane is held still: it would tell front within milliseconds, and this is about front's own proxy.
  process.kill(shop.controlPlane.pid, 'SIGSTOP');
  const stop = new AbortController();
  let done = 0;
  const run = load({
    port,
    signal: stop.signal,
    request: (i) =>
      isPost(i) ? { method: 'POST', path: `/orders/${i}`, body: '{}' } : { path: `/reviews/${i}` },
    classify: (status, _, i) => `${isPost(i) ? 'POST' : 'GET'} ${status < 400 ? 'ok' : String(status)}`,
    progress: () => done++,
  });
  const reach = async (count: number): Promise<true> =>
    until(`that ${count} requests are through`, async () => (done >= count ? true : undefined));
  let ejectedAfterMs = Number.NaN;
  try {
    await reach(1500);
    const killedMs = performance.now();
    twin.kill();
    const killedAt = done;
    ejectedAfterMs = await until(
      'that the dead instance is ejected',
      async () => ((await ejections()) > before ? performance.now() - killedMs : undefined),
      10_000,
    ).catch(() => Number.NaN);
    await reach(killedAt + 4500);
  } finally {
    stop.abort();
    process.kill(shop.controlPlane.pid, 'SIGCONT');
  }
  const result = await run;
  const failed = (method: string): number =>
    [...result.classes]
      .filter(([kind]) => kind.startsWith(method) && kind !== `${method} ok`)
      .reduce((n, [, count]) => n + count, 0);
  const gets = (result.classes.get('GET ok') ?? 0) + failed('GET') + result.failed;
  // What broke off in the middle of its response cannot be mended by anybody; it is only said.
  const errors = failed('GET') + result.failed - result.cutOff;
  report.claim(
    'an instance dies under load and no idempotent request fails',
    answeredByTwin && errors === 0,
    `${errors} of ${gets} GETs failed, ${result.cutOff} more broke off in the middle of a response; ${failed('POST')} of ${(result.classes.get('POST ok') ?? 0) + failed('POST')} POSTs failed, which must not be sent twice`,
  );
  for (const failure of result.failures) report.note(failure);
  report.claim(
    'it is ejected within 3 s',
    ejectedAfterMs < 3000,
    Number.isNaN(ejectedAfterMs) ? 'never' : `${Math.round(ejectedAfterMs)} ms after it died`,
  );
  const orders = (await readFile(shop.ordersFile, 'utf8')).trim().split('\n');
  const twice = orders.length - new Set(orders).size;
  report.claim(
    'no order arrives twice',
    twice === 0 && orders.length >= (result.classes.get('POST ok') ?? 0),
    `${orders.length} orders noted by both instances, the dead one too; ${twice} of them more than once`,
  );
  await shop.remove('round-robin.yaml');
}

async function faults(shop: Shop, report: Report): Promise<void> {
  const port = shop.front.upstreamPort('reviews');
  const during = async (file: string, requests: number): Promise<LoadResult> => {
    await shop.apply(file);
    const result = await load({ port, requests, request: () => ({ path: '/reviews/1' }) });
    await shop.remove(file);
    return result;
  };

  const delayed = await during('delay.yaml', 100);
  report.claim(
    'an injected delay shows',
    quantile(delayed.latenciesMs, 0) >= 195 && delayed.statuses.get(200) === 100,
    `fastest of 100 took ${quantile(delayed.latenciesMs, 0).toFixed(0)} ms, set 200`,
  );
  const aborted = await during('abort.yaml', 2000);
  const aborts = aborted.statuses.get(418) ?? 0;
  report.claim(
    'an injected abort shows',
    Math.abs(aborts - 600) <= 5 * Math.sqrt(2000 * 0.3 * 0.7) &&
      aborts + (aborted.statuses.get(200) ?? 0) === 2000,
    `${aborts} of 2000 aborted, set 600 ± ${Math.round(5 * Math.sqrt(420))}`,
  );
  const limited = await during('rate-limit.yaml', 200);
  report.claim(
    'a rate limit holds',
    limited.statuses.get(200) === 50 && limited.statuses.get(429) === 150,
    `${limited.statuses.get(200) ?? 0} passed, set 50; ${limited.statuses.get(429) ?? 0} got 429`,
  );
}

/** More at once than the limit, to an instance that takes its time. */
async function circuit(shop: Shop, report: Report): Promise<void> {
  const slow = await shop.startReviews('slow', { DELAY_MS: '3000' });
  try {
    await shop.apply('circuit-limit.yaml');
    const agent = new http.Agent({ maxSockets: 40 });
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const answer = await send(agent, shop.front.upstreamPort('reviews'), { path: '/reviews/1' });
        return answer.status;
      }),
    );
    agent.destroy();
    const count = (status: number): number => statuses.filter((one) => one === status).length;
    report.claim(
      'the circuit limit holds',
      count(200) === 10 && count(503) === 30,
      `${count(200)} of 40 at once passed, set 10; ${count(503)} got 503`,
    );
  } finally {
    await slow.stop();
  }
}
