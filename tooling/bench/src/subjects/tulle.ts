import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../bundle.ts';
import { many, type Subject } from './subject.ts';

const HERE: string = fileURLToPath(new URL('../../../..', import.meta.url));
const PROGRAM = 'tooling/bench/src/tulle-process.ts';

type TulleVariant = 'bare' | 'observed' | 'mesh';

/** Share of the requests that the observed variant traces: what a proxy does by itself (decision D18). */
export const TRACE_RATIO = 0.01;

const BARE = 'one engine process, keep-alive both sides, no filter, no telemetry';
const ON: Readonly<Record<TulleVariant, string>> = {
  bare: BARE,
  observed: `bare + JSON access log to a file, Prometheus metrics, traces of ${TRACE_RATIO * 100} % over OTLP`,
  mesh: 'bare + JSON access log to a file, Prometheus metrics, authorization on method, path and header, retry policy with budget, outlier ejection, timeouts, one added header',
};

/** Tulle's engine in one process, as a sidecar runs it. */
export function tulle(variant: TulleVariant): Subject {
  return engine('tulle', variant, HERE);
}

/**
 * The same out of another checkout, so that a change is measured against what was before it, round by round.
 * @param nodeOptions of its process, beside those that it has by itself: the checkout may be this one, with other options
 */
export function baseline(variant: TulleVariant, checkout: string, nodeOptions: readonly string[]): Subject {
  return engine('baseline', variant, checkout, nodeOptions);
}

function engine(
  name: string,
  variant: TulleVariant,
  checkout: string,
  nodeOptions: readonly string[] = [],
): Subject {
  const program = join(checkout, PROGRAM);
  return {
    name,
    variant,
    on: ON[variant],
    between: 'http2',
    unfit(scenario) {
      if (variant === 'observed' && scenario.name !== 'http1-small')
        return 'measured with http1-small only, the rest follows from it';
      const known = join(checkout, 'tooling/bench/src/scenarios.ts');
      return readFileSync(known, 'utf8').includes(`name: '${scenario.name}'`)
        ? undefined
        : `${known} does not know it`;
    },
    missing() {
      if (!existsSync(program)) return `there is no ${program}`;
      // A checkout from before there was this variant would measure its bare one.
      const collector = join(checkout, 'tooling/bench/src/collector-process.ts');
      return variant === 'observed' && !existsSync(collector) ? `there is no ${collector}` : undefined;
    },
    async start(setup) {
      const { pki, scenario, hop } = setup;
      const script = await bundle(program, setup.directory);
      if (setup.profile !== undefined) mkdirSync(setup.profile, { recursive: true });
      const { pid } = setup.spawn(process.execPath, [
        ...nodeOptions,
        ...(setup.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', setup.profile]),
        script,
        JSON.stringify({
          listenPort: hop.listenPort,
          originPort: hop.upstreamPort,
          mesh: variant === 'mesh',
          ...(variant === 'observed'
            ? {
                observed: {
                  metrics: true,
                  accessLog: true,
                  traceRatio: TRACE_RATIO,
                  collectorPort: setup.collectorPort,
                },
              }
            : {}),
          accessLogFile: `${setup.directory}/access.log`,
          tls: hop.upstream.tls ? { key: pki.clientKeyFile, cert: pki.clientCertFile, ca: pki.caFile } : null,
          downstreamTls: hop.downstream.tls
            ? { key: pki.originKeyFile, cert: pki.originCertFile, ca: pki.caFile }
            : null,
          http2: hop.upstream.protocol === 'http2',
          many: many(scenario),
        }),
      ]);
      return { pids: () => [pid] };
    },
  };
}
