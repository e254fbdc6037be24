import { httpListener, route } from '@tulle/proxy';
import type { Cluster } from '@tulle/model';
import type { TelemetryPlugin } from '@tulle/telemetry';
import { describe, expect, it } from 'vitest';
import { fakeClock } from '../src/index.ts';
import { started } from './support.ts';

/** Files in memory. */
function files(): TelemetryPlugin & { readonly lines: Map<string, object[]>; readonly open: Set<string> } {
  const lines = new Map<string, object[]>();
  const open = new Set<string>();
  return {
    name: 'files',
    lines,
    open,
    accessLoggers: {
      kinds: [],
      open: () => Promise.reject(new Error('no log is opened')),
      async openFile(path) {
        if (path.startsWith('/none/')) throw new Error(`${path} cannot be appended to`);
        open.add(path);
        const own = lines.get(path) ?? [];
        lines.set(path, own);
        return {
          write: (line) => void own.push(JSON.parse(line) as object),
          close: async () => void open.delete(path),
        };
      },
    },
  };
}

const cluster = (more: Partial<Cluster>): Cluster => ({
  name: 'api',
  discovery: {
    kind: 'static',
    endpoints: ['a', 'b'].map((host) => ({ address: { host, port: 80 } })),
  },
  balance: { policy: 'round-robin' },
  ...more,
});
const listeners = [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })];
const EJECTING = {
  outlier: {
    consecutiveFailures: 2,
    gatewayFailures: { count: 2, enforcedPercent: 0 },
    baseEjectionMs: 1_000,
    intervalMs: 1_000,
    eventLog: '/ejections',
  },
};

describe('logs of events', () => {
  it('tell of ejections, of those that chance spares, and of returns without a request', async () => {
    const clock = fakeClock();
    const plugin = files();
    const test = await started({
      clock,
      telemetry: [plugin],
      listeners,
      clusters: [cluster(EJECTING)],
      upstreams: { 'a:80': () => ({ status: 503 }), 'b:80': () => ({ body: 'b' }) },
    });
    for (let i = 0; i < 4; i++) await test.client().request();
    await clock.advance(2_000);
    const common = { cluster_name: 'api', upstream_url: 'a:80', timestamp: expect.any(String) as string };
    expect(plugin.lines.get('/ejections')).toEqual([
      {
        ...common,
        type: 'CONSECUTIVE_GATEWAY_FAILURE',
        action: 'EJECT',
        num_ejections: 0,
        enforced: false,
        eject_consecutive_event: {},
      },
      {
        ...common,
        type: 'CONSECUTIVE_5XX',
        action: 'EJECT',
        num_ejections: 1,
        enforced: true,
        eject_consecutive_event: {},
      },
      {
        ...common,
        type: 'CONSECUTIVE_5XX',
        secs_since_last_action: expect.stringMatching(/^[12]$/) as string,
        action: 'UNEJECT',
        num_ejections: 1,
        enforced: false,
      },
    ]);
  });

  it('are closed with their cluster, and stay open where it stays', async () => {
    const plugin = files();
    const test = await started({
      telemetry: [plugin],
      listeners,
      clusters: [cluster(EJECTING)],
      upstreams: { 'a:80': () => ({ body: 'a' }), 'b:80': () => ({ body: 'b' }) },
    });
    const config = test.proxy.config;
    expect([...plugin.open]).toEqual(['/ejections']);
    await test.proxy.update({ ...config, version: '2' });
    expect([...plugin.open]).toEqual(['/ejections']);
    await test.proxy.update({ ...config, version: '3', clusters: [cluster({})] });
    expect([...plugin.open]).toEqual([]);
  });

  it('that cannot be had have the configuration refused, and nothing of it stays open', async () => {
    const plugin = files();
    const healthCheck = {
      kind: 'tcp',
      intervalMs: 1_000,
      timeoutMs: 500,
      unhealthyThreshold: 1,
      healthyThreshold: 1,
      eventLogs: ['/health', '/none/x'],
    } as const;
    await expect(
      started({
        telemetry: [plugin],
        listeners,
        clusters: [cluster({ healthCheck })],
        upstreams: { 'a:80': () => ({ body: 'a' }), 'b:80': () => ({ body: 'b' }) },
      }),
    ).rejects.toMatchObject({
      issues: [{ path: '/clusters/0/healthCheck/eventLogs/1', message: '/none/x cannot be appended to' }],
    });
    expect([...plugin.open]).toEqual([]);
    await expect(started({ listeners, clusters: [cluster({ healthCheck })], upstreams: {} })).rejects.toThrow(
      'no telemetry plugin of this proxy opens files',
    );
  });
});
