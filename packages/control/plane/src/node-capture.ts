import { isIP } from 'node:net';
import { readReachable, type Reachable } from './reachable.ts';

/** What becomes of calls to whom the mesh does not know: they go on as they were meant, or are refused. */
export const EGRESS_MODES = ['passthrough', 'registry-only'] as const;
export type EgressMode = (typeof EGRESS_MODES)[number];

/** Where the kernel leads connections of the application, as a sidecar says it. */
export interface CaptureMetadata {
  /** Where it takes them: one address a family, loopback. */
  readonly outbound: readonly { readonly address: string; readonly port: number }[];
  /** Where it takes what others begin at ports that the application does not name. Absent: they are not captured. */
  readonly inbound?: { readonly address: string; readonly port: number };
  /** Default `passthrough`. */
  readonly egress?: EgressMode;
  /** Services that it is told of: `name`, `name.namespace`, `*.namespace` or `*`. Default `['*']`. */
  readonly reachable?: readonly string[];
}

/** {@link CaptureMetadata}, read. */
export interface NodeCapture {
  readonly outbound: readonly { readonly address: string; readonly port: number }[];
  readonly inbound: { readonly address: string; readonly port: number } | undefined;
  readonly egress: EgressMode;
  readonly reachable: Reachable;
}

/** @param namespace of the program @param wrong told of each field that cannot be used */
export function readCapture(
  value: unknown,
  namespace: string,
  wrong: (path: string, message: string) => void,
): NodeCapture | undefined {
  if (value === undefined) return undefined;
  const {
    outbound = [],
    inbound,
    egress = 'passthrough',
    reachable,
  } = (value ?? {}) as Record<string, unknown>;
  const mode = EGRESS_MODES.find((one) => one === egress);
  if (mode === undefined)
    wrong('/capture/egress', `must be one of ${EGRESS_MODES.join(', ')}, not ${JSON.stringify(egress)}`);
  const places = Array.isArray(outbound) ? outbound : [];
  if (places.length < 1 || places.length > 2 || !places.every(isPlace))
    wrong(
      '/capture/outbound',
      `must be one or two places of an IP address and a port, not ${JSON.stringify(outbound)}`,
    );
  if (inbound !== undefined && !isPlace(inbound))
    wrong('/capture/inbound', `must be an IP address and a port, not ${JSON.stringify(inbound)}`);
  return {
    outbound: places.filter(isPlace),
    inbound: isPlace(inbound) ? inbound : undefined,
    egress: mode ?? 'passthrough',
    reachable: readReachable(reachable, '/capture/reachable', namespace, wrong),
  };
}

function isPlace(value: unknown): value is { readonly address: string; readonly port: number } {
  const { address, port } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof address === 'string' &&
    isIP(address) !== 0 &&
    Number.isInteger(port) &&
    (port as number) >= 1 &&
    (port as number) <= 65_535
  );
}
