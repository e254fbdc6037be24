import type { CaptureStatus } from './program-capture.ts';

/** What is captured, and what becomes of it when something goes wrong: for the first line that an operator sees. */
export function describeCapture({ scope, egress, ifProxyDies }: CaptureStatus): string {
  const what =
    scope === 'program' ? "the program's connections" : 'all connections of this network namespace';
  const elsewhere = egress === 'passthrough' ? 'pass through' : 'are refused';
  const death =
    ifProxyDies === 'open'
      ? 'connections go past it (fail open)'
      : 'no connection gets out or in (fail closed)';
  return `captures ${what}; calls to whom the mesh does not know ${elsewhere} (${egress}); if the sidecar is killed, ${death}; a port without --port is not captured: it takes plain text from anybody, also where mutual TLS is STRICT`;
}
