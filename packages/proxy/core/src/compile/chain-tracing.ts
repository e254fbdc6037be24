import { SharedUse } from './shared-use.ts';
import type { HandlerTracing, HttpHandler, Listener } from '@tulle/model';
import type { Sink, Tracers } from '@tulle/telemetry';
import type { Engine } from '../engine.ts';
import type { ChainTracer, SpanNames } from '../stream/logs.ts';
import { Tracing } from '../stream/tracing.ts';
import { compileSpanNames } from './compile-route-tracing.ts';
import { EngineFilterHost } from './filter-host.ts';
import type { Issues } from './issues.ts';

/** The tracing of one handler; its exporter is closed when no stream of it is under way any more. */
export class ChainTracing extends SharedUse implements ChainTracer {
  readonly tracing: Tracing;
  readonly sink: Sink;
  readonly names: SpanNames;
  readonly #engine: Engine;
  readonly #host: EngineFilterHost;

  constructor(engine: Engine, host: EngineFilterHost, tracing: Tracing, sink: Sink, names: SpanNames) {
    super();
    this.names = names;
    this.#engine = engine;
    this.#host = host;
    this.tracing = tracing;
    this.sink = sink;
  }

  protected override end(): void {
    this.#engine.closing.close(this.#engine, this.#host, [this.sink]);
  }
}

/**
 * Opens where a handler's spans go; what is wrong goes to `issues`.
 * @param path JSON pointer of the tracing
 */
export async function openTracing(
  { tracing }: HttpHandler,
  listener: Listener,
  path: string,
  base: { readonly engine: Engine; readonly tracers: readonly Tracers[]; readonly issues: Issues },
): Promise<ChainTracing | undefined> {
  if (tracing?.provider === undefined) return undefined;
  const { engine, tracers, issues } = base;
  const { kind } = tracing.provider;
  const maker = tracers.find(({ kinds }) => kinds.includes(kind));
  if (maker === undefined) {
    const known = tracers.flatMap(({ kinds }) => kinds);
    issues.add(
      `${path}/provider/kind`,
      `no telemetry plugin of this proxy sends spans the way ${JSON.stringify(kind)}; there is ${known.join(', ') || 'none: give it tracers() of @tulle/telemetry-otlp'}`,
    );
    return undefined;
  }
  const names = compileSpanNames(tracing, path, issues);
  const host = new EngineFilterHost(engine, `tracing of ${listener.name}`);
  try {
    const outbound = listener.direction === 'outbound';
    const { settings, sink } = await maker.open({ ...tracing, provider: tracing.provider }, host, {
      outbound,
    });
    return new ChainTracing(engine, host, new Tracing(settings, engine.random), sink, names);
  } catch (error) {
    host.close();
    issues.take(path, error);
    return undefined;
  }
}

/** Clusters that spans are sent to, with where they are named. */
export function tracingClusters({ provider }: HandlerTracing): [name: string, at: string][] {
  if (provider === undefined) return [];
  if (provider.kind === 'zipkin') return [[provider.cluster, '/provider/cluster']];
  return 'http' in provider.service
    ? [[provider.service.http.cluster, '/provider/service/http/cluster']]
    : [[provider.service.grpc.cluster, '/provider/service/grpc/cluster']];
}
