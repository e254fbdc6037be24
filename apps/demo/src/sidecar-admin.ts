import { request } from 'node:http';
import { parseMetrics, sum, type Sample } from './metrics.ts';

/** The admin interface of a sidecar, by its Unix socket. */
export interface SidecarAdmin {
  metrics(): Promise<Sample[]>;
  /** Sum of the samples of a metric with these labels. */
  sum(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** Serials of the certificates that its engine shows: the leaf, then its issuer. */
  serials(): Promise<readonly string[]>;
  /** Process ids of its engines. */
  enginePids(): Promise<readonly number[]>;
}

export function sidecarAdmin(socketPath: string): SidecarAdmin {
  const metrics = async (): Promise<Sample[]> => parseMetrics(await get(socketPath, '/stats/prometheus'));
  return {
    metrics,
    sum: async (name, labels) => sum(await metrics(), name, labels),
    async serials() {
      const { certificates } = JSON.parse(await get(socketPath, '/certs')) as {
        certificates: readonly { readonly source: string; readonly serial: string }[];
      };
      return certificates.filter(({ source }) => source === 'workload').map(({ serial }) => serial);
    },
    async enginePids() {
      const { processes } = JSON.parse(await get(socketPath, '/supervisor')) as {
        processes: readonly { readonly pid: number }[];
      };
      return processes.map(({ pid }) => pid);
    },
  };
}

async function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false, timeout: 10_000 }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      reply.on('end', () =>
        reply.statusCode === 200
          ? resolve(text)
          : reject(new Error(`${path} answered ${String(reply.statusCode)}: ${text}`)),
      );
      reply.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`${socketPath} did not answer ${path} within 10 s`)));
    asked.on('error', reject);
    asked.end();
  });
}
