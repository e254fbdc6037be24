import { until } from '../until.ts';
import type { Services } from './services.ts';

/** What the two say differently of themselves. */
const OWN = new Set(['node_name', 'cluster_name']);

/** Waits until the collector has so many records. @returns them, but for the time that each names */
export async function collectedBy(
  { logs }: Services,
  ports: ReadonlyMap<number, number>,
  records: number,
): Promise<string> {
  return until('all requests are with the collector', async () => {
    const got = logs.flatMap((one) => one.records);
    if (got.length < records) throw new Error(`there are ${got.length} of ${records}`);
    const [first] = logs;
    return Promise.resolve(
      JSON.stringify(
        [
          [first?.target, first?.headers.host, first?.headers['content-type'], first?.headers['x-key']],
          got.map(({ plainBody, attributes, resource }) => [plainBody, attributes, resource]),
        ],
        (name, value: unknown) => (OWN.has(name) ? undefined : value),
      ).replaceAll(String(ports.get(10_000)), '10000'),
    );
  });
}
