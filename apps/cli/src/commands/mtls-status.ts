import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { ago } from './status.ts';

/** What is asked of the callers of a port, as `GET /api/v1/mtls` tells it. */
export interface MtlsPort {
  readonly proxy: string;
  readonly workload: string;
  readonly namespace: string;
  readonly port: number;
  readonly mode: 'STRICT' | 'PERMISSIVE';
  /** `namespace/name` of the PeerAuthentication; absent: the default. */
  readonly policy?: string;
  readonly confirmed: boolean;
  readonly clients: readonly {
    readonly address: string;
    readonly connections: number;
    readonly lastSeenMs: number;
  }[];
  readonly others: number;
}

/** Connections in plain text to a port. */
export const plaintextCount = ({ clients, others }: MtlsPort): number =>
  clients.reduce((sum, { connections }) => sum + connections, others);

export const command: Command = defineCommand({
  summary: 'Show which ports ask for mutual TLS, and who still comes in plain text',
  details:
    'STRICT: mutual TLS, nothing else. PERMISSIVE: plain text too, while callers move into the mesh. PLAINTEXT counts\n' +
    'connections without TLS since the sidecar started, told some ten seconds late; -o json has them by client.',
  options: {
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'only workloads of this namespace',
      env: 'TULLE_NAMESPACE',
    },
    ...LIST_OPTIONS,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle mtls status', does: 'who may still call in plain text, and who does' },
    { command: 'tulle mtls status -n shop -w', does: 'one namespace, while callers move' },
  ],
  async run({ io, options, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    await showView(io, options, signal, async () => {
      const { ports } = await client.must<{ ports: readonly MtlsPort[] }>('GET', '/api/v1/mtls');
      const rows = ports.filter(
        (port) => options.namespace === undefined || port.namespace === options.namespace,
      );
      return {
        view: {
          rows,
          document: (shown: readonly MtlsPort[]) => ({ ports: shown }),
          name: (port: MtlsPort) => `${port.proxy}:${port.port}`,
          columns: [
            { header: 'WORKLOAD', value: (port: MtlsPort) => `${port.workload}.${port.namespace}` },
            { header: 'PORT', value: (port: MtlsPort) => port.port },
            {
              header: 'MODE',
              value: (port: MtlsPort) => (port.confirmed ? port.mode : `${port.mode} (not confirmed)`),
            },
            { header: 'POLICY', value: (port: MtlsPort) => port.policy },
            { header: 'PLAINTEXT', value: plaintextCount },
            { header: 'CLIENTS', value: (port: MtlsPort) => port.clients.length },
            {
              header: 'LAST',
              value: ({ clients: [latest] }: MtlsPort) =>
                latest && `${latest.address} ${ago(latest.lastSeenMs, Date.now())}`,
            },
            { header: 'PROXY', value: (port: MtlsPort) => port.proxy, wide: true },
          ],
          empty: 'No workload that takes calls is connected.',
        },
      };
    });
    return EXIT.ok;
  },
});
