import { isIP } from 'node:net';

/** Who came in plain text to one port of a workload, as its sidecar tells on its stream (decision 014). */
export interface PlaintextReport {
  /** Of the application. */
  readonly port: number;
  /** The latest seen first. */
  readonly clients: readonly PlaintextClient[];
  /** Connections of clients beyond those. */
  readonly others: number;
}

export interface PlaintextClient {
  /** IP address: a peer that proves nothing has no other name. */
  readonly address: string;
  readonly connections: number;
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number;
}

/** Clients of one port that a node may tell of. */
const MAX_CLIENTS = 100;
const MAX_PORTS = 1_000;

/** Reads what a node says of plain text. @param wrong told of each field that is wrong */
export function readPlaintext(
  value: unknown,
  wrong: (path: string, message: string) => void,
): readonly PlaintextReport[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_PORTS) {
    wrong('/plaintext', `must be a list of at most ${MAX_PORTS} ports`);
    return [];
  }
  return value.flatMap((entry: unknown, i) => {
    const { port, clients, others = 0 } = (entry ?? {}) as Record<string, unknown>;
    if (isCount(port) && Array.isArray(clients) && clients.length <= MAX_CLIENTS && isCount(others)) {
      const read = clients.filter(isClient);
      if (read.length === clients.length)
        return [
          {
            port,
            others,
            clients: read.map(({ address, connections, lastSeenMs }) => ({
              address,
              connections,
              lastSeenMs,
            })),
          },
        ];
    }
    wrong(
      `/plaintext/${i}`,
      `must be { port, clients: at most ${MAX_CLIENTS} of { address, connections, lastSeenMs }, others }`,
    );
    return [];
  });
}

function isClient(value: unknown): value is PlaintextClient {
  const { address, connections, lastSeenMs } = (value ?? {}) as Record<string, unknown>;
  return typeof address === 'string' && isIP(address) !== 0 && isCount(connections) && isCount(lastSeenMs);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
