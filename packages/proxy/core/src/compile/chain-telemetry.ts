import type { RegexEngine } from '@tulle/match';
import type { HttpHandler, Listener, TcpHandler } from '@tulle/model';
import type { AccessLoggers, Tracers } from '@tulle/telemetry';
import type { Engine } from '../engine.ts';
import { accessLogClusters, openAccessLogs, type AccessLogs } from './access-logs.ts';
import { openTracing, tracingClusters, type ChainTracing } from './chain-tracing.ts';
import type { Issues } from './issues.ts';

/** What the plugins of a proxy bring for handlers that have telemetry of their own. */
export interface TelemetryParts {
  /** What opens access logs. */
  readonly loggers: readonly AccessLoggers[];
  /** What sends the spans of handlers. */
  readonly tracers: readonly Tracers[];
}

/** Telemetry of one chain; `undefined` where its handler has none. */
export interface ChainTelemetry {
  readonly accessLogs: AccessLogs | undefined;
  readonly tracer: ChainTracing | undefined;
}

/** Opens what a handler asks for; what is wrong goes to `issues`. @param path JSON pointer of the handler */
export async function openTelemetry(
  handler: HttpHandler | TcpHandler,
  listener: Listener,
  path: string,
  base: TelemetryParts & {
    readonly engine: Engine;
    readonly regex: RegexEngine | undefined;
    readonly issues: Issues;
  },
): Promise<ChainTelemetry> {
  return {
    accessLogs: await openAccessLogs(handler.accessLogs, `${path}/accessLogs`, base),
    tracer:
      handler.kind === 'http' ? await openTracing(handler, listener, `${path}/tracing`, base) : undefined,
  };
}

/** Clusters that a handler's telemetry is sent to, with where they are named below the handler. */
export function telemetryClusters(handler: HttpHandler | TcpHandler): [name: string, at: string][] {
  const logs = accessLogClusters(handler.accessLogs).map(([name, at]): [string, string] => [
    name,
    `/accessLogs${at}`,
  ]);
  if (handler.kind === 'tcp' || handler.tracing === undefined) return logs;
  return [
    ...logs,
    ...tracingClusters(handler.tracing).map(([name, at]): [string, string] => [name, `/tracing${at}`]),
  ];
}
