import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import { type Meter, noMeter } from '@tulle/telemetry';
import { type Clock, systemClock } from '@tulle/time';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  LoadReportingService,
  type LoadStatsRequest,
  type LoadStatsResponse,
  LoadStatsResponseSchema,
} from '@tulle/xds-proto/envoy/service/load_stats/v3/lrs';
import { grpcService } from '@tulle/xds-proto/grpc';
import { admit } from '../ads/admit.ts';
import type { CallerCall } from '../ads/caller-call.ts';
import { nodeIdAgrees } from '../ads/node.ts';
import type { LoadReports } from './load-reports.ts';

/** A client that understands "all clusters" (`LoadStatsResponse.send_all_clusters`). */
const ALL_CLUSTERS_FEATURE = 'envoy.lrs.supports_send_all_clusters';

/** Options of {@link addLoadReportingService}. */
export interface LoadReportingOptions {
  readonly reports: LoadReports;
  /** Who calls, from the connection; `undefined` or a throw: not authenticated. Default nobody. */
  readonly authenticate?: (call: CallerCall) => { readonly spiffeId: string } | undefined;
  /** Admit callers without identity, for loopback and tests. Default false. */
  readonly allowUnauthenticated?: boolean;
  /** Clusters that a client reports on which does not understand "all". Default none. */
  readonly clustersOf?: (node: string) => readonly string[];
  /** How often clients report. Default 10,000: soon enough for a person, and little traffic. */
  readonly intervalMs?: number;
  /** Also by endpoint, where a client can. Default true. */
  readonly byEndpoint?: boolean;
  /** Further streams get RESOURCE_EXHAUSTED. Default 10,000. */
  readonly maxStreams?: number;
  /** A stream whose client says nothing is ended after this long. Default 10,000. */
  readonly firstRequestTimeoutMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly meter?: Meter;
  /** Label `server` of its metrics, where a process has several. Default `mesh`. */
  readonly server?: string;
}

/** The running service. */
export interface LoadReporting {
  /** Ends every stream with UNAVAILABLE. */
  close(): void;
}

type Call = ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>;

/** Adds Envoy's LoadReportingService (LRS) to a gRPC server: every client is asked for everything. */
export function addLoadReportingService(server: Server, options: LoadReportingOptions): LoadReporting {
  const clock = options.clock ?? systemClock();
  const maxStreams = options.maxStreams ?? 10_000;
  const calls = new Set<Call>();
  let closed = false;
  const stop = (options.meter ?? noMeter).observed(
    'tulle_load_report_streams',
    { help: 'Clients that report load (LRS)', labels: { server: options.server ?? 'mesh' } },
    () => calls.size,
  );

  function begin(call: Call, node: Node): void {
    const all = node.clientFeatures.includes(ALL_CLUSTERS_FEATURE);
    call.write(
      create(LoadStatsResponseSchema, {
        sendAllClusters: all,
        clusters: all ? [] : [...(options.clustersOf?.(node.id) ?? [])],
        loadReportingInterval: durationFromMs(options.intervalMs ?? 10_000),
        reportEndpointGranularity: options.byEndpoint ?? true,
      }),
    );
  }

  function identify(call: Call): string | undefined {
    try {
      return options.authenticate?.(call)?.spiffeId;
    } catch (cause) {
      options.log?.warn('Caller could not be identified', { peer: call.getPeer(), error: cause });
      return undefined;
    }
  }

  const { streamLoadStats } = grpcService(LoadReportingService);
  server.addService(
    { streamLoadStats },
    {
      streamLoadStats(call: Call) {
        let node: string | undefined;
        const fail = (code: status, details: string): void => void call.emit('error', { code, details });
        if (closed) return fail(status.UNAVAILABLE, 'This server is shutting down.');
        if (calls.size >= maxStreams)
          return fail(
            status.RESOURCE_EXHAUSTED,
            `This server has ${maxStreams} streams already (maxStreams).`,
          );
        calls.add(call);
        const cancel = clock.setTimer(options.firstRequestTimeoutMs ?? 10_000, () =>
          fail(status.DEADLINE_EXCEEDED, 'The first request did not come in time.'),
        );
        const ended = (): void => {
          cancel();
          calls.delete(call);
        };
        call.on('data', (request: LoadStatsRequest) => {
          if (!calls.has(call)) return;
          cancel();
          if (node === undefined) {
            const admission = admit(request.node, {
              identify: () => identify(call),
              allowUnauthenticated: options.allowUnauthenticated ?? false,
              agrees: nodeIdAgrees,
            });
            if (!admission.ok) return fail(admission.code, admission.details);
            node = admission.node.id;
            begin(call, admission.node);
          }
          if (request.clusterStats.length > 0)
            options.reports.add(node, request.clusterStats, clock.epochMs());
        });
        call.on('end', () => {
          ended();
          call.end();
        });
        for (const event of ['cancelled', 'error', 'close']) call.on(event, ended);
      },
    },
  );

  return {
    close() {
      closed = true;
      for (const call of calls)
        call.emit('error', { code: status.UNAVAILABLE, details: 'This server is shutting down.' });
      stop();
    },
  };
}
