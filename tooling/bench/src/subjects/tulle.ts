import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../bundle.ts';
import type { Subject } from './subject.ts';

const HERE: string = fileURLToPath(new URL('../../../..', import.meta.url));
const PROGRAM = 'tooling/bench/src/tulle-process.ts';

/** Tulle's engine in one process, as a sidecar runs it. */
export function tulle(variant: 'bare' | 'mesh'): Subject {
  return engine('tulle', variant, HERE);
}

/** The same out of another checkout, so that a change is measured against what was before it, round by round. */
export function baseline(variant: 'bare' | 'mesh', checkout: string): Subject {
  return engine('baseline', variant, checkout);
}

function engine(name: string, variant: 'bare' | 'mesh', checkout: string): Subject {
  const program = join(checkout, PROGRAM);
  return {
    name,
    variant,
    on:
      variant === 'bare'
        ? 'one engine process, keep-alive both sides, no filter, no telemetry'
        : 'bare + JSON access log to a file, Prometheus metrics, authorization on method, path and header, retry policy with budget, outlier ejection, timeouts, one added header',
    missing: () => (existsSync(program) ? undefined : `there is no ${program}`),
    async start(setup) {
      const { pki, scenario } = setup;
      const script = await bundle(program, setup.directory);
      if (setup.profile !== undefined) mkdirSync(setup.profile, { recursive: true });
      const { pid } = setup.spawn(process.execPath, [
        ...(setup.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', setup.profile]),
        script,
        JSON.stringify({
          listenPort: setup.listenPort,
          originPort: setup.originPort,
          mesh: variant === 'mesh',
          accessLogFile: `${setup.directory}/access.log`,
          tls: scenario.upstreamTls
            ? { key: pki.clientKeyFile, cert: pki.clientCertFile, ca: pki.caFile }
            : null,
        }),
      ]);
      return { pids: () => [pid] };
    },
  };
}
