import { addMetadata, CONTINUE, DELIVER, RETRY } from '@tulle/filter';
import { httpListener, route } from '@tulle/proxy';
import type { Cluster, HostOverride } from '@tulle/model';
import { expect, it } from 'vitest';
import type { StreamRecord, TelemetryPlugin } from '@tulle/telemetry';
import type { TestProxy } from '../src/index.ts';
import { filter, started } from './support.ts';

const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];

const retries = filter(
  'retries',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 2 || attempt.failure === undefined) return DELIVER;
      attempt.retryDelayMs = 1;
      return RETRY;
    },
  },
  { scope: 'attempt' },
)({});

/** An earlier filter, as an endpoint picker behind `ext_proc` says it. */
const picker = filter('picker', {
  requestHeaders(stream) {
    const pick = stream.request.headers.get('x-pick');
    if (pick !== undefined) addMetadata(stream, 'envoy.lb', { chosen: { endpoint: pick }, kept: 'x' });
    return CONTINUE;
  },
})({});

const override: HostOverride = {
  sources: [
    { kind: 'header', name: 'X-Endpoint' },
    { kind: 'metadata', namespace: 'envoy.lb', path: ['chosen', 'endpoint'] },
  ],
  chosenIn: { namespace: 'envoy.lb', path: ['served', 'by'] },
};

const api: Cluster = {
  name: 'api',
  // Never the last one.
  balance: { policy: 'pick-first' },
  discovery: {
    kind: 'static',
    endpoints: HOSTS.map((host, index) => ({
      address: { host, port: 80 },
      ...(index === 2 && { health: 'unhealthy' as const }),
    })),
  },
  hostOverride: override,
  limits: { retryBudget: { percent: 100, minPerSecond: 100 } },
};

function withClusters(
  clusters: readonly Cluster[],
  to = 'api',
  up = HOSTS,
  telemetry: readonly TelemetryPlugin[] = [],
): Promise<TestProxy> {
  const filters = [picker, retries];
  return started({
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', to)], filters })],
    telemetry,
    clusters: [...clusters],
    upstreams: Object.fromEntries(up.map((host) => [`${host}:80`, () => ({ body: host })])),
  });
}

async function placesOf(test: TestProxy, headers: Readonly<Record<string, string>>): Promise<string[]> {
  const answered = test.client().request({ headers });
  await test.clock.advance(1_000);
  await answered;
  return test.records.at(-1)?.attempts.map(({ address }) => address.replace(':80', '')) ?? [];
}

it('goes where its field says, whatever is known of the health there', async () => {
  const test = await withClusters([api]);
  expect(await placesOf(test, {})).toEqual(['10.0.0.1']);
  expect(await placesOf(test, { 'x-endpoint': '10.0.0.4:80' })).toEqual(['10.0.0.4']);
  expect(await placesOf(test, { 'x-endpoint': ' 10.0.0.3:80 ' })).toEqual(['10.0.0.3']);
});

it('passes over what the cluster does not have, and leaves what is no address to the policy', async () => {
  const test = await withClusters([api]);
  expect(await placesOf(test, { 'x-endpoint': '10.0.0.9:80,,10.0.0.2:80' })).toEqual(['10.0.0.2']);
  expect(await placesOf(test, { 'x-endpoint': '10.0.0.4' })).toEqual(['10.0.0.1']);
});

it('takes the next address for the next attempt, then what the policy chooses', async () => {
  const test = await withClusters([api], 'api', []);
  const said = { 'x-endpoint': '10.0.0.9:80,10.0.0.4:80,10.0.0.4:80', 'x-pick': '10.0.0.2:80' };
  expect(await placesOf(test, said)).toEqual(['10.0.0.4', '10.0.0.4', '10.0.0.2']);
  expect(await placesOf(test, { 'x-pick': '10.0.0.2:80' })).toEqual(['10.0.0.2', '10.0.0.1', '10.0.0.4']);
});

it('notes beside what filters found out where it went', async () => {
  const seen: unknown[] = [];
  const record = (one: StreamRecord): undefined => {
    seen.push(one.metadata('envoy.lb'));
  };
  const test = await withClusters([api], 'api', HOSTS, [{ name: 'seen', sink: { name: 'seen', record } }]);
  await placesOf(test, {});
  await placesOf(test, { 'x-pick': '10.0.0.2:80' });
  expect(seen).toEqual([
    { served: { by: '10.0.0.1:80' } },
    { served: { by: '10.0.0.2:80' }, chosen: { endpoint: '10.0.0.2:80' }, kept: 'x' },
  ]);
});

it('looks at sixteen addresses', async () => {
  const test = await withClusters([api]);
  const behind = (count: number) => ({ 'x-endpoint': `${'10.0.0.9:80,'.repeat(count)}10.0.0.4:80` });
  expect(await placesOf(test, behind(15))).toEqual(['10.0.0.4']);
  expect(await placesOf(test, behind(16))).toEqual(['10.0.0.1']);
});

it('says nothing by way of an aggregate, as in Envoy', async () => {
  const all: Cluster = { name: 'all', discovery: { kind: 'aggregate', clusters: ['api'] } };
  const test = await withClusters([api, all], 'all');
  expect(await placesOf(test, { 'x-endpoint': '10.0.0.4:80' })).toEqual(['10.0.0.1']);
});

it.each([
  [{ ...api, discovery: { kind: 'aggregate', clusters: ['x'] } }, '/hostOverride'],
  [{ ...api, discovery: { kind: 'forward-proxy' } }, '/hostOverride'],
  [{ ...api, hostOverride: { sources: [{ kind: 'header', name: 'a b' }] } }, '/hostOverride/sources/0/name'],
] as const)('is refused where it cannot be', async (cluster, path) => {
  await expect(withClusters([cluster as Cluster])).rejects.toThrow(path);
});
