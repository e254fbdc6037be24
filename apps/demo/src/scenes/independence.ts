import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../instance.ts';
import { load, type LoadResult } from '../load.ts';
import type { Report } from '../report.ts';
import type { Shop } from '../shop.ts';
import { until } from '../until.ts';

/** Reliability promise 4: everything is as it should be so soon after the control plane is back. */
const CONVERGED_MS = 5_000;

const proxies = (shop: Shop): readonly Instance[] => [
  shop.front,
  shop.catalog,
  shop.reviewsV1,
  shop.reviewsV2,
];

/** What the control plane suffers, and how it comes back. */
interface Outage {
  readonly title: string;
  begin(): Promise<void>;
  /** What else happens meanwhile. */
  meanwhile?(): Promise<void>;
  end(): Promise<void>;
}

/**
 * Scene 5: the control plane is killed, then frozen, each time for half a lifetime of certificates, so that every proxy
 * comes to want a new one and gets none.
 * @param shop one whose certificates are short-lived
 */
export async function independence(shop: Shop, report: Report, leafSeconds: number): Promise<void> {
  report.scene('5. Independence');
  report.note(`certificates live ${leafSeconds} s here, and are renewed at half of it`);
  await shop.apply('full-handshakes.yaml');
  await outage(shop, report, leafSeconds, {
    title: 'killed',
    async begin() {
      shop.controlPlane.kill();
      await shop.controlPlane.ended;
    },
    meanwhile: async () => restart(shop, report),
    end: async () => shop.restartControlPlane(),
  });
  await outage(shop, report, leafSeconds, {
    title: 'frozen',
    begin: async () => void process.kill(shop.controlPlane.pid, 'SIGSTOP'),
    end: async () => void process.kill(shop.controlPlane.pid, 'SIGCONT'),
  });
}

async function outage(shop: Shop, report: Report, leafSeconds: number, what: Outage): Promise<void> {
  const lifetimeMs = leafSeconds * 1000;
  const outageMs = lifetimeMs / 2 + 1000;
  const secondsLeft = async (): Promise<number> => {
    const ends = await Promise.all([shop.front, shop.reviewsV1].map(async ({ admin }) => admin.leafEndsMs()));
    return (Math.min(...ends) - Date.now()) / 1000;
  };
  const serials = async (): Promise<readonly (string | undefined)[]> =>
    Promise.all([shop.front, shop.reviewsV1].map(async ({ admin }) => (await admin.serials())[0]));
  // The promise is for less than half a lifetime: who is late in his has what is left of it.
  await until(
    'that certificates are young',
    async () => ((await secondsLeft()) > leafSeconds * 0.7 ? true : undefined),
    lifetimeMs,
  );
  const before = await serials();
  const handshakes = (): number => shop.relay.report().fullHandshakes;
  const handshakesBefore = handshakes();
  const stop = new AbortController();
  const run = load({
    port: shop.front.upstreamPort('reviews'),
    signal: stop.signal,
    concurrency: 4,
    pauseMs: 20,
    request: (i) => ({ path: `/reviews/${i}` }),
  });
  let [left, connectedMs] = [Number.NaN, Number.NaN];
  let change = { proxies: 0, slowestMs: Number.NaN };
  try {
    await what.begin();
    const begunMs = performance.now();
    await what.meanwhile?.();
    await sleep(Math.max(0, outageMs - (performance.now() - begunMs)));
    left = await secondsLeft();
    await what.end();
    const backMs = performance.now();
    await until('that every proxy is connected again', async () =>
      (await Promise.all(proxies(shop).map(async ({ admin }) => admin.connected()))).every(Boolean)
        ? true
        : undefined,
    );
    connectedMs = performance.now() - backMs;
    change = await shop.apply('catalog-policies.yaml');
    await until('that certificates are renewed', async () =>
      (await serials()).every((serial, i) => serial !== before[i]) ? true : undefined,
    );
  } finally {
    stop.abort();
  }
  const result = await run;
  const shaken = handshakes() - handshakesBefore;
  await shop.remove('catalog-policies.yaml');
  report.claim(
    `the control plane is ${what.title} for half a lifetime of certificates, and no request fails`,
    lost(result) === 0 && left > 0 && shaken >= result.requests,
    `${lost(result)} of ${result.requests} failed over ${shaken} full handshakes; away ${(outageMs / 1000).toFixed(0)} s, and the oldest certificate had ${left.toFixed(0)} s left`,
  );
  for (const failure of result.failures) report.note(failure);
  report.claim(
    `${what.title === 'killed' ? 'started' : 'let go'} again, it has all proxies back within 5 s, and a change confirmed by all`,
    connectedMs <= CONVERGED_MS &&
      change.proxies === proxies(shop).length &&
      change.slowestMs <= CONVERGED_MS,
    `all connected after ${Math.round(connectedMs)} ms; ${change.proxies} of ${proxies(shop).length} proxies confirmed a change, the slowest ${change.slowestMs} ms after it was applied; what was due for renewal is renewed`,
  );
}

/** A sidecar is restarted while nobody could give it anything. */
async function restart(shop: Shop, report: Report): Promise<void> {
  const [serial] = await shop.catalog.admin.serials();
  await shop.catalog.stop();
  const startedMs = performance.now();
  const again = await shop.catalog.again();
  const tookMs = performance.now() - startedMs;
  const [shown] = await again.admin.serials();
  const asked = await load({
    port: shop.front.upstreamPort('catalog'),
    requests: 200,
    concurrency: 4,
    request: () => ({ path: '/products' }),
  });
  report.claim(
    'a sidecar that is restarted meanwhile serves from its saved configuration and identity',
    lost(asked) === 0 && shown === serial,
    `${lost(asked)} of ${asked.requests} requests failed; it took calls after ${Math.round(tookMs)} ms, with certificate ${String(shown).slice(0, 8)}…, as before`,
  );
}

const lost = (result: LoadResult): number => result.requests - (result.statuses.get(200) ?? 0);
