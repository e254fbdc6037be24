import { request } from 'node:http';
import { parseMetrics, sum, type Sample } from './metrics.ts';

/** The admin interface of a sidecar, by its Unix socket. */
export interface SidecarAdmin {
  metrics(): Promise<Sample[]>;
  /** Sum of the samples of a metric with these labels. */
  sum(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** Serials of the certificates that its engine shows: the leaf, then its issuer. */
  serials(): Promise<readonly string[]>;
  /** Whether it has a stream to the control plane. */
  connected(): Promise<boolean>;
  /** When the certificate that its engine shows ends. */
  leafEndsMs(): Promise<number>;
  /** Process ids of its engines. */
  enginePids(): Promise<readonly number[]>;
}

interface Certificate {
  readonly source: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

export function sidecarAdmin(socketPath: string): SidecarAdmin {
  const metrics = async (): Promise<Sample[]> => parseMetrics(await get(socketPath, '/stats/prometheus'));
  const workloadCertificates = async (): Promise<readonly Certificate[]> => {
    const { certificates } = JSON.parse(await get(socketPath, '/certs')) as {
      readonly certificates: readonly Certificate[];
    };
    return certificates.filter(({ source }) => source === 'workload');
  };
  return {
    metrics,
    sum: async (name, labels) => sum(await metrics(), name, labels),
    serials: async () => (await workloadCertificates()).map(({ serial }) => serial),
    async connected() {
      const { xds } = JSON.parse(await get(socketPath, '/sidecar')) as {
        readonly xds: { readonly connected: boolean };
      };
      return xds.connected;
    },
    async leafEndsMs() {
      const [leaf] = await workloadCertificates();
      if (leaf === undefined) throw new Error(`${socketPath} shows no certificate`);
      return leaf.notAfterMs;
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
