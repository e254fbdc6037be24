import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Where a control plane is found: the content of `control-plane.json` in its state directory, mode 0600. It stays when
 * the control plane ends, since the next one listens on the same ports.
 */
export interface Endpoints {
  /** `host:port` of xDS and CA. */
  readonly xds: string;
  /** `http://127.0.0.1:port`, or `unix:PATH`. */
  readonly api: string;
  /** What callers of REST show: `Authorization: Bearer …`. */
  readonly apiSecret: string;
  /** `host:port` or `unix:/path` where resources are served as they are put, in plain text; absent where they are not. */
  readonly rawXds?: string;
  readonly trustDomain: string;
  /** SHA-256 of the root's public key, base64url: what join tokens carry too. */
  readonly rootPin: string;
  readonly pid: number;
}

/** What the last control plane of a state directory wrote; `undefined` when there was none, or its file is damaged. */
export function readEndpoints(file: string): Partial<Endpoints> | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof found === 'object' && found !== null ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Port of `host:port` or of an `http:` URL; 0 where there is none. */
export function portOf(address: string | undefined): number {
  return Number(/:(\d{1,5})\/?$/.exec(address ?? '')?.[1] ?? 0);
}

/** `wanted` when nobody has it, else 0: any. */
export async function freePort(host: string, wanted: number): Promise<number> {
  if (wanted === 0) return 0;
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(0))
      .listen({ host, port: wanted }, () => probe.close(() => resolve(wanted)));
  });
}
