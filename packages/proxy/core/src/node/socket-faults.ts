import { refusalHints, refusalOfError } from '@tulle/spiffe';
import type { SocketFault, SocketFaultKind } from '../ports.ts';

const KINDS: Readonly<Record<string, SocketFaultKind>> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'local',
  EMFILE: 'local',
  ENFILE: 'local',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
};

/** What the engine needs to know of an error of the platform. @param open it came after the connection was established */
export function faultOf(error: Error, open: boolean): SocketFault {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'other';
  if (!open && (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || 'reason' in error)) {
    const { reason, detail } = refusalOfError(error);
    return { kind: 'tls', reason, message: `${detail}: ${refusalHints[reason]}` };
  }
  return { kind: KINDS[code] ?? 'other', reason: code, message: error.message };
}
