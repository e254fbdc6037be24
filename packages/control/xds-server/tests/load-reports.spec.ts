import { create } from '@bufbuild/protobuf';
import { Server } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import type { Counter, Meter } from '@tulle/telemetry';
import { noMeter } from '@tulle/telemetry';
import {
  LoadReportingService,
  type LoadStatsRequest,
  LoadStatsRequestSchema,
  type LoadStatsResponse,
} from '@tulle/xds-proto/envoy/service/load_stats/v3/lrs';
import { grpcService } from '@tulle/xds-proto/grpc';
import { addLoadReportingService, createLoadReports, createXdsServer } from '../src/index.ts';
import { listen, openRaw, type RawStream } from './raw-client.ts';

const { streamLoadStats } = grpcService(LoadReportingService);
const opened: { close(): void }[] = [];

afterEach(() => {
  for (const stream of opened.splice(0)) stream.close();
});

function open(target: string): RawStream<LoadStatsRequest, LoadStatsResponse> {
  const stream = openRaw(target, streamLoadStats);
  opened.push(stream);
  return stream;
}

const report = (succeeded: number, failed: number, dropped: number): LoadStatsRequest =>
  create(LoadStatsRequestSchema, {
    clusterStats: [
      {
        clusterName: 'c',
        clusterServiceName: 'c.eds',
        totalDroppedRequests: BigInt(dropped),
        loadReportInterval: { seconds: 2n },
        upstreamLocalityStats: [
          {
            locality: { region: 'eu', zone: 'a' },
            priority: 1,
            totalIssuedRequests: BigInt(succeeded + failed),
            totalSuccessfulRequests: BigInt(succeeded),
            totalErrorRequests: BigInt(failed),
            totalRequestsInProgress: 3n,
            upstreamEndpointStats: [
              {
                address: {
                  address: {
                    case: 'socketAddress',
                    value: { address: '10.0.0.1', portSpecifier: { case: 'portValue', value: 80 } },
                  },
                },
                totalSuccessfulRequests: BigInt(succeeded),
              },
            ],
          },
        ],
      },
    ],
  });

it('a client is told what to report and how often, and its reports are summed up', async () => {
  const counts = new Map<string, number>();
  const meter: Meter = {
    ...noMeter,
    counter(name, { labels = {} }): Counter {
      const key = `${name} ${Object.values(labels).join(' ')}`;
      return { add: (n = 1) => void counts.set(key, (counts.get(key) ?? 0) + n) };
    },
  };
  await using server = await createXdsServer({ loadReportIntervalMs: 2_000, meter });
  server.setSnapshot('old', [{ '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'c' }]);
  const stream = open(server.target);
  const clientFeatures = ['envoy.lrs.supports_send_all_clusters'];
  stream.send(create(LoadStatsRequestSchema, { node: { id: 'new', clientFeatures } }));
  expect(await stream.next()).toMatchObject({
    sendAllClusters: true,
    clusters: [],
    loadReportingInterval: { seconds: 2n },
    reportEndpointGranularity: true,
  });
  // Who does not know of "all" is asked for the clusters that it has.
  const old = open(server.target);
  old.send(create(LoadStatsRequestSchema, { node: { id: 'old' } }));
  expect(await old.next()).toMatchObject({ sendAllClusters: false, clusters: ['c'] });

  stream.send(report(10, 2, 1));
  stream.send(report(5, 0, 0));
  await expect.poll(() => server.loadReports('new')[0]?.reports).toBe(2);
  expect(server.loadReports()).toMatchObject([
    {
      node: 'new',
      clusters: [
        {
          cluster: 'c',
          service: 'c.eds',
          total: { issued: 17, succeeded: 15, failed: 2, dropped: 1 },
          last: {
            succeeded: 5,
            intervalMs: 2_000,
            localities: [
              {
                locality: 'eu/a',
                priority: 1,
                inProgress: 3,
                endpoints: [{ address: '10.0.0.1:80', succeeded: 5 }],
              },
            ],
          },
        },
      ],
    },
  ]);
  expect(server.loadReports('other')).toEqual([]);
  expect(Object.fromEntries(counts)).toMatchObject({
    'tulle_load_report_requests_total c succeeded': 15,
    'tulle_load_report_requests_total c failed': 2,
    'tulle_load_report_requests_total c dropped': 1,
  });
});

it('in a mesh a client reports for itself alone', async () => {
  const server = new Server();
  const reports = createLoadReports(noMeter);
  const ids = [undefined, 'spiffe://m/ns/d/sa/a'];
  const service = addLoadReportingService(server, {
    reports,
    authenticate: () => {
      const spiffeId = ids.shift();
      return spiffeId === undefined ? undefined : { spiffeId };
    },
  });
  const target = await listen(server);
  for (const reason of [/No identity was proven/, /does not agree with the proven identity/]) {
    const stream = open(target);
    stream.send(create(LoadStatsRequestSchema, { node: { id: 'spiffe://m/ns/d/sa/b' } }));
    await expect(stream.next()).rejects.toThrow(reason);
  }
  expect(reports.all()).toEqual([]);
  service.close();
  server.forceShutdown();
});
