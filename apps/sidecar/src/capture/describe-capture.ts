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
  const unnamed =
    scope === 'program'
      ? 'a port without --port takes plain text of other machines only where a PeerAuthentication says PERMISSIVE, and of this one always'
      : 'a port without --port takes plain text only where a PeerAuthentication says PERMISSIVE';
  return `captures ${what}; calls to whom the mesh does not know ${elsewhere} (${egress}); if the sidecar is killed, ${death}; ${unnamed}`;
}
