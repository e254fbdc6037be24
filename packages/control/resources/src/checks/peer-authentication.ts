import type { PeerAuthentication } from '../kinds/peer-authentication.ts';
import type { CheckHost } from './check-host.ts';

export function checkPeerAuthentication({ spec }: PeerAuthentication, host: CheckHost): void {
  if (spec.mtls === undefined && spec.portLevelMtls === undefined)
    host.report(
      'TULLE0203',
      '/spec',
      'the policy says nothing: neither mtls nor portLevelMtls is there',
      'mtls: { mode: STRICT }, or PERMISSIVE while callers move into the mesh',
    );
  for (const port of Object.keys(spec.portLevelMtls ?? {}))
    if (Number(port) > 65_535)
      host.report('TULLE0204', `/spec/portLevelMtls/${port}`, `${port} is no port`, undefined, 'key');
}
