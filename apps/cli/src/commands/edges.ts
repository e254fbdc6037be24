import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import type { View } from '../cli/output.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { edgesOf, type Edge } from '../metrics/edges.ts';
import { localProxies } from '../proxies/local-proxies.ts';
import { sampleProxy } from '../proxies/proxy-sample.ts';

export const command: Command = defineCommand({
  summary: 'Show who calls whom, and whether the way between them is secured',
  details:
    'Counted by the proxies of this machine since they started. SECURED is √ where every call came over mutual TLS, else how\nmany did not.',
  options: {
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'only calls from or to this namespace',
      env: 'TULLE_NAMESPACE',
    },
    ...LIST_OPTIONS,
  },
  examples: [
    { command: 'tulle edges', does: 'who calls whom' },
    { command: 'tulle edges --sort-by calls -o wide', does: 'and how often' },
  ],
  async run({ io, options, signal }) {
    const { namespace } = options;
    await showView(io, options, signal, async () => {
      const samples = await Promise.all(
        (await localProxies(io)).map(async (proxy) => sampleProxy(proxy, signal)),
      );
      if (samples.every((sample) => sample === undefined))
        throw new CliError(
          EXIT.unreachable,
          'no proxy runs on this machine',
          'tulle run starts a program with one; look where the proxies run',
        );
      const rows = edgesOf(samples.flatMap((sample) => sample?.metrics ?? [])).filter(
        (edge) =>
          namespace === undefined ||
          edge.sourceNamespace === namespace ||
          edge.destinationNamespace === namespace,
      );
      return { view: viewOf(rows) };
    });
    return EXIT.ok;
  },
});

const viewOf = (rows: readonly Edge[]): View<Edge> => ({
  rows,
  document: (shown: readonly Edge[]) => ({ items: shown }),
  name: (edge) => `${edge.source}.${edge.sourceNamespace}/${edge.destination}.${edge.destinationNamespace}`,
  empty: 'Nobody has called anybody yet.',
  columns: [
    { header: 'SRC', value: (edge) => edge.source },
    { header: 'DST', value: (edge) => edge.destination },
    { header: 'SRC_NS', value: (edge) => edge.sourceNamespace },
    { header: 'DST_NS', value: (edge) => edge.destinationNamespace },
    { header: 'SECURED', value: secured },
    { header: 'CALLS', value: (edge) => edge.calls, wide: true },
  ],
});

function secured({ security }: Edge): string | undefined {
  const ways = Object.entries(security);
  if (ways.length === 0) return undefined;
  const others = ways.filter(([how]) => how !== 'mutual_tls');
  if (others.length === 0) return '√';
  return others
    .map(([how, calls]) => `${calls} ${how === 'tls' ? 'over TLS without identity' : 'in plain text'}`)
    .join(', ');
}
