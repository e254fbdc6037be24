import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Subject } from './subject.ts';

/** Tulle's engine in one process, as a sidecar runs it. */
export function tulle(variant: 'bare' | 'mesh'): Subject {
  return {
    name: 'tulle',
    variant,
    on:
      variant === 'bare'
        ? 'one engine process, keep-alive both sides, no filter, no telemetry'
        : 'bare + JSON access log to a file, Prometheus metrics, authorization on method, path and header, retry policy with budget, outlier ejection, timeouts, one added header',
    missing: () => undefined,
    start(setup) {
      const { pki, scenario } = setup;
      if (setup.profile !== undefined) mkdirSync(setup.profile, { recursive: true });
      const { pid } = setup.spawn(process.execPath, [
        ...(setup.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', setup.profile]),
        fileURLToPath(new URL('../tulle-process.ts', import.meta.url)),
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
