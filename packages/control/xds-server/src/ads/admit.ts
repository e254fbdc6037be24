import { status } from '@grpc/grpc-js';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';

/** Who may open a stream. */
export interface AdmissionRules {
  /** Who calls, as the connection proves; `undefined` for nobody known. */
  readonly identify: () => string | undefined;
  readonly allowUnauthenticated: boolean;
  readonly agrees: (nodeId: string, spiffeId: string) => boolean;
}

/** The answer to the first request of a stream. */
export type Admission =
  | { readonly ok: true; readonly node: Node; readonly identity: string | undefined }
  | { readonly ok: false; readonly code: status; readonly details: string };

/** Judges the node that a stream's first request names (decision D14). */
export function admit(given: Node | undefined, rules: AdmissionRules): Admission {
  const refuse = (code: status, details: string): Admission => ({ ok: false, code, details });
  if (!given || given.id === '')
    return refuse(status.INVALID_ARGUMENT, 'The first request must have a node with an id.');
  const identity = rules.identify();
  if (identity === undefined && !rules.allowUnauthenticated) {
    return refuse(
      status.UNAUTHENTICATED,
      'No identity was proven. Connect over mutual TLS with the certificate of the workload.',
    );
  }
  if (identity !== undefined && !rules.agrees(given.id, identity)) {
    return refuse(
      status.PERMISSION_DENIED,
      `The node id "${given.id}" does not agree with the proven identity ${identity}. Use that id, alone or followed by ~ and a name of the instance.`,
    );
  }
  return { ok: true, node: given, identity };
}
