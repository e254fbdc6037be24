import { expect, it } from 'vitest';
import type { RunningProxy } from '@tulle/sidecar';
import type { ProxySample } from '../proxies/proxy-sample.ts';
import { goldenSignals } from './golden-signals.ts';
import { readMetrics } from './metrics-page.ts';
import { overheadOf } from './overhead.ts';

const labels = (more: string): string =>
  `destination_namespace="default",destination_service="web",direction="inbound",route="app",${more}`;
const page = readMetrics(
  [
    `tulle_requests_total{${labels('outcome="success",response_code="200"')}} 30`,
    `tulle_requests_total{${labels('outcome="failure",response_code="503"')}} 10`,
    `tulle_request_duration_seconds_bucket{${labels('outcome="success",le="0.01"')}} 20`,
    `tulle_request_duration_seconds_bucket{${labels('outcome="success",le="0.1"')}} 30`,
    `tulle_request_duration_seconds_bucket{${labels('outcome="success",le="+Inf"')}} 30`,
    'tulle_proxy_added_latency_seconds_bucket{direction="inbound",le="0.001"} 40',
    'tulle_proxy_added_latency_seconds_bucket{direction="inbound",le="+Inf"} 40',
  ].join('\n'),
);

it('golden signals are of all proxies of a service together, and of its groups', () => {
  const [web, ...others] = goldenSignals(
    [
      { seconds: 2, samples: page },
      { seconds: 4, samples: page },
    ],
    'service',
  );
  expect(others).toEqual([]);
  expect(web).toMatchObject({
    namespace: 'default',
    service: 'web',
    side: 'server',
    requests: 80,
    rps: 30,
    success: 0.75,
    latencyMsP50: 7.5,
  });
  expect(web?.latencyMsP95).toBeCloseTo(86.5);
  expect(goldenSignals([{ seconds: 1, samples: page }], 'route')).toMatchObject([{ by: 'app' }]);
});

it('the mesh costs a workload what its processes used meanwhile', () => {
  const sample = (atMs: number, cpuSeconds: number, metrics = page): ProxySample => ({
    proxy: { name: 'web', namespace: 'default', instance: 'web-1', pid: 1, startedMs: 0 } as RunningProxy,
    atMs,
    metrics,
    engines: new Map([[2, { cpuSeconds, residentBytes: 100 }]]),
    supervisor: { cpuSeconds: cpuSeconds / 2, residentBytes: 10 },
  });
  expect(
    overheadOf([
      { before: sample(0, 1, []), after: sample(2000, 1.04) },
      { before: sample(0, 5, []), after: sample(1000, 5.04) },
    ]),
  ).toMatchObject([
    {
      workload: 'web',
      instances: 2,
      rps: 60,
      cpuCores: expect.closeTo(0.03 + 0.06) as number,
      cpuMicrosPerRequest: expect.closeTo(1000) as number,
      memoryBytes: 220,
      supervisorMemoryBytes: 20,
      addedMsP50: 0.5,
    },
  ]);
  const mute = overheadOf([{ before: sample(0, 1, []), after: sample(1000, 2, []) }]);
  expect(mute).toMatchObject([{ rps: undefined, cpuMicrosPerRequest: undefined, addedMsP50: undefined }]);
});
