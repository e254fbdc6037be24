import { randomBytes } from 'node:crypto';
import type { LogLine } from '../access-log.ts';
import type { Span } from '../collector.ts';
import type { Instance } from '../instance.ts';
import { load } from '../load.ts';
import type { Report } from '../report.ts';
import type { Shop } from '../shop.ts';
import { isOneTree } from '../trace-tree.ts';
import { until } from '../until.ts';

/** So few that the spans of all fit an exporter's queue, however slow the machine is. */
const CANARY_REQUESTS = 800;
const PAGES = 100;
const FORGETTING = 100;
/** Spans are exported after five seconds at the latest, log lines within one. */
const ARRIVE_MS = 30_000;

/** Requests whose caller asks for traces, each for its own. */
interface Traced {
  /** By request, its trace. */
  readonly traces: readonly string[];
  readonly callerSpan: string;
  readonly header: (index: number) => Readonly<Record<string, string>>;
}

function traced(requests: number): Traced {
  const prefix = randomBytes(8).toString('hex');
  const callerSpan = randomBytes(8).toString('hex');
  const traces = Array.from({ length: requests }, (_, i) => prefix + (i + 1).toString(16).padStart(16, '0'));
  return {
    traces,
    callerSpan,
    header: (index) => ({ traceparent: `00-${traces[index] as string}-${callerSpan}-01` }),
  };
}

/** Scene 4: every request can be found again, in numbers, in lines and in traces. */
export async function observability(shop: Shop, report: Report): Promise<void> {
  report.scene('4. Observability');
  await shop.apply('canary-50-50.yaml');
  await everyRequest(shop, report);
  await pages(shop, report);
  await forgetful(shop, report);
  const faults = await shop.collector.faults();
  const instances = [shop.front, shop.catalog, shop.reviewsV1, shop.reviewsV2];
  const lost = await total(instances, 'tulle_otlp_spans_dropped_total');
  report.claim(
    'the collector could read every export, and no proxy dropped a span',
    faults.length === 0 && lost === 0,
    `${await total(instances, 'tulle_otlp_spans_exported_total')} spans over OTLP/HTTP in protobuf, ${faults.length} unreadable exports${faults[0] === undefined ? '' : ` (${faults[0]})`}, ${lost} dropped`,
  );
}

/** A canary run, caller by caller: front's program calls the reviews, half of them of version 2. */
async function everyRequest(shop: Shop, report: Report): Promise<void> {
  const { front, reviewsV1, reviewsV2 } = shop;
  const counts = async (): Promise<Readonly<Record<string, number>>> => ({
    'front → v1': await front.admin.sum('tulle_requests_total', {
      direction: 'outbound',
      destination_version: 'v1',
    }),
    'front → v2': await front.admin.sum('tulle_requests_total', {
      direction: 'outbound',
      destination_version: 'v2',
    }),
    v1: await reviewsV1.admin.sum('tulle_requests_total', { direction: 'inbound' }),
    v2: await reviewsV2.admin.sum('tulle_requests_total', { direction: 'inbound' }),
  });
  const { traces, callerSpan, header } = traced(CANARY_REQUESTS);
  const before = await counts();
  const run = await load({
    port: front.port,
    requests: CANARY_REQUESTS,
    concurrency: 8,
    request: (i) => ({ path: `/api/reviews/${i}`, headers: header(i) }),
    classify: (status, body) => (status === 200 ? (/"version":"(v\d)"/.exec(body)?.[1] ?? 'none') : 'error'),
  });
  const got = { v1: run.classes.get('v1') ?? 0, v2: run.classes.get('v2') ?? 0 };
  const counted = async (): Promise<number[]> => {
    const now = await counts();
    return ['front → v1', 'front → v2', 'v1', 'v2'].map((what) => (now[what] ?? 0) - (before[what] ?? 0));
  };
  const wanted = [got.v1, got.v2, got.v1, got.v2];
  const numbers = await settled(counted, (found) => found.every((n, i) => n === wanted[i]));
  report.claim(
    'every request of a canary run is in the metrics of both sides',
    got.v1 + got.v2 === CANARY_REQUESTS && numbers.every((n, i) => n === wanted[i]),
    `${CANARY_REQUESTS} requests, answered by v1 ${got.v1}, v2 ${got.v2}; counted by front ${numbers[0]} and ${numbers[1]}, by the reviews ${numbers[2]} and ${numbers[3]}`,
  );

  const ours = new Set(traces);
  const linesOf = async (instance: Instance, direction: LogLine['direction']): Promise<LogLine[]> =>
    (await instance.accessLog()).filter(
      (line) => line.direction === direction && line.trace_id !== null && ours.has(line.trace_id),
    );
  const lines = await settled(
    async () => ({
      sent: await linesOf(front, 'outbound'),
      taken: [...(await linesOf(reviewsV1, 'inbound')), ...(await linesOf(reviewsV2, 'inbound'))],
    }),
    ({ sent, taken }) => sent.length >= CANARY_REQUESTS && taken.length >= CANARY_REQUESTS,
  );
  const distinct = (of: readonly LogLine[]): number => new Set(of.map((line) => line.trace_id)).size;
  report.claim(
    'and in the access logs of both sides, by its trace',
    [lines.sent, lines.taken].every(
      (of) => of.length === CANARY_REQUESTS && distinct(of) === CANARY_REQUESTS,
    ),
    `${lines.sent.length} lines of front with ${distinct(lines.sent)} trace ids, ${lines.taken.length} of the reviews with ${distinct(lines.taken)}`,
  );

  const services = ['front.default', 'front.default', 'reviews.default', 'reviews.default'];
  const found = await spansOf(shop, traces, 4);
  const whole = found.filter((spans) => isOneTree(spans, callerSpan, services));
  report.claim(
    'and is one connected trace, from the caller through front to the reviews',
    whole.length === CANARY_REQUESTS,
    `${whole.length} of ${CANARY_REQUESTS} traces have their ${services.length} spans in one chain that begins at the caller's`,
  );
}

/** The front page asks two services at once: a tree with two branches. */
async function pages(shop: Shop, report: Report): Promise<void> {
  const { traces, callerSpan, header } = traced(PAGES);
  await load({
    port: shop.front.port,
    requests: PAGES,
    concurrency: 4,
    request: (i) => ({ path: '/', headers: header(i) }),
  });
  const services = ['catalog', 'front', 'front', 'reviews'].flatMap((name) => [
    `${name}.default`,
    `${name}.default`,
  ]);
  const found = await spansOf(shop, traces, services.length);
  const whole = found.filter((spans) => isOneTree(spans, callerSpan, services));
  report.claim(
    'a page is one trace across every service that it takes',
    whole.length === PAGES,
    `${whole.length} of ${PAGES} pages have ${services.length} spans of front, catalog and reviews in one tree`,
  );
}

/** A mesh cannot connect what a program does not pass on. */
async function forgetful(shop: Shop, report: Report): Promise<void> {
  const { traces, callerSpan, header } = traced(FORGETTING);
  const outbound = async (): Promise<LogLine[]> =>
    [...(await shop.reviewsV1.accessLog()), ...(await shop.reviewsV2.accessLog())].filter(
      (line) => line.direction === 'outbound',
    );
  const before = (await outbound()).length;
  await load({
    port: shop.front.port,
    requests: FORGETTING,
    concurrency: 4,
    request: (i) => ({ path: `/api/reviews/${i}/with-product`, headers: header(i) }),
  });
  const services = ['front.default', 'front.default', 'reviews.default', 'reviews.default'];
  const found = await spansOf(shop, traces, 4);
  const ended = found.filter((spans) => isOneTree(spans, callerSpan, services));
  const calls = await settled(
    async () => (await outbound()).slice(before),
    (lines) => lines.length >= FORGETTING,
  );
  const ours = new Set(traces);
  const apart = calls.filter(({ trace_id: id }) => id !== null && !ours.has(id));
  report.claim(
    'a trace ends at the service that does not copy the header, which is reviews',
    ended.length === FORGETTING && calls.length === FORGETTING && apart.length === FORGETTING,
    `${ended.length} of ${FORGETTING} traces end there; ${apart.length} of its ${calls.length} calls of the catalogue are of traces of their own`,
  );
}

/** The spans of each trace, once all have as many as they should, or nothing more is to be expected. */
async function spansOf(shop: Shop, traces: readonly string[], each: number): Promise<(readonly Span[])[]> {
  const wanted = new Set(traces);
  const spans = await settled(
    async () => (await shop.collector.spans()).filter(({ traceId }) => wanted.has(traceId)),
    (found) => found.length >= traces.length * each,
  );
  const byTrace = Map.groupBy(spans, ({ traceId }) => traceId);
  return traces.map((trace) => byTrace.get(trace) ?? []);
}

/** What `look` finds once it is as wanted; what it finds in the end where it never is. */
async function settled<T>(look: () => Promise<T>, asWanted: (found: T) => boolean): Promise<T> {
  let found = await look();
  await until(
    'that all is told',
    async () => {
      found = await look();
      return asWanted(found) ? true : undefined;
    },
    ARRIVE_MS,
  ).catch(() => {});
  return found;
}

async function total(instances: readonly Instance[], metric: string): Promise<number> {
  const sums = await Promise.all(instances.map(async ({ admin }) => admin.sum(metric)));
  return sums.reduce((sum, one) => sum + one, 0);
}
