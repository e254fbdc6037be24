import type { RunningProxy } from '@tulle/sidecar';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import { paint } from '../cli/io.ts';
import {
  explainFrom,
  explainInto,
  explanationsOf,
  type Imagined,
  type ProxyExplanation,
} from '../proxies/explanations.ts';
import { adminClient, localProxies, nodeIdOf } from '../proxies/local-proxies.ts';
import { nextHop } from '../proxies/next-hop.ts';
import { explanationText } from './explanation-text.ts';
import { readRequest } from './imagined-request.ts';

export const command: Command = defineCommand({
  summary: 'Explain why a request went as it did, or would go',
  details:
    'With a REQUEST-ID (the x-request-id of a log line, a trace or an answer): what every proxy of this machine decided about it,\nin order; the last requests are kept, and failed ones longer. With METHOD and URL: what would become of a request that\nnobody sent, from the way out of --from (and on through a waypoint and into the service that it would reach, where these run here),\nor into the service, or to the waypoint, of --to; METHOD grpc and a URL ending in /SERVICE/METHOD are a gRPC call. Nobody is called, nothing is counted, no token of a rate limit is spent: a filter that would call somebody says so.',
  args: [
    { name: 'REQUEST-ID|METHOD', help: 'a request that was, or the method of one to imagine' },
    { name: 'URL', help: 'http://SERVICE[:PORT]/PATH, or of a gateway', optional: true },
  ],
  options: {
    from: { type: 'string', value: 'PROXY', help: 'whose program sends it, or the gateway that it comes to' },
    to: { type: 'string', value: 'PROXY', help: 'the service, or the waypoint, that it comes to' },
    as: { type: 'string', value: 'SPIFFE-ID', help: 'with --to: what the caller proves; default nothing' },
    header: { type: 'list', short: 'H', value: 'NAME:VALUE', help: 'a header field of it; may be repeated' },
    output: {
      type: 'string',
      short: 'o',
      value: 'FORMAT',
      help: 'output format',
      choices: ['text', 'json', 'yaml'],
      defaultText: 'text',
    },
  },
  examples: [
    { command: 'tulle explain 5f1c7a4e-2b0d', does: 'why that request went as it did, proxy by proxy' },
    {
      command: 'tulle explain GET http://orders/admin --from web',
      does: 'whether web may, and which rule says so',
    },
    {
      command: 'tulle explain grpc http://orders/shop.v1.Orders/Place --from web',
      does: 'which rule of a GRPCRoute takes the call, and where it goes',
    },
    {
      command:
        "tulle explain POST http://orders/ --to orders --as spiffe://mesh.local/ns/default/sa/web -H 'x-role: admin'",
      does: 'what orders would say to web',
    },
  ],
  async run({ io, options, args, signal }) {
    const [first = '', url] = args;
    const proxies = await localProxies(io);
    const all =
      url === undefined
        ? await explanationsOf(proxies, first, signal)
        : await imagine(proxies, options, readRequest(first, url, options.header), signal);
    if (proxies.length === 0)
      throw new CliError(
        EXIT.failed,
        'no proxy of yours runs on this machine',
        'proxies tell where they run, to who runs them; `tulle run` starts one',
      );
    if (all.length === 0)
      throw new CliError(
        EXIT.failed,
        `none of the ${proxies.length} proxies on this machine keeps a request ${JSON.stringify(first)}`,
        'the last requests are kept: look for its x-request-id in the access log, and ask where it came past',
      );
    const document = { explanations: all };
    if (options.output === 'json') io.out(`${JSON.stringify(document, null, 2)}\n`);
    else if (options.output === 'yaml') {
      const { stringify } = await import('yaml');
      io.out(stringify(JSON.parse(JSON.stringify(document))));
    } else io.out(explanationText(all, paint(io, 'out')));
    return EXIT.ok;
  },
});

interface Ends {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly as?: string | undefined;
}

async function imagine(
  proxies: readonly RunningProxy[],
  { from, to, as }: Ends,
  request: Imagined,
  signal: AbortSignal,
): Promise<readonly ProxyExplanation[]> {
  if (as !== undefined && to === undefined)
    throw usageError('--as goes with --to', 'a proxy of --from proves its own identity');
  if (from === undefined && to === undefined)
    throw usageError('say where it comes from: --from PROXY, or --to PROXY', proxyNames(proxies));
  if (from !== undefined && to !== undefined)
    throw usageError('give --from or --to', '--from goes on into the service by itself');
  if (to !== undefined) return [await explainInto(findProxy(proxies, to), request, as, signal)];
  let at = findProxy(proxies, from as string);
  let sent = request;
  let last = await explainFrom(at, request, signal);
  const all = [last];
  const past = new Set([at.instance]);
  // Through a waypoint, where the Service has one, and on to the service.
  for (;;) {
    const others = proxies.filter(({ instance }) => !past.has(instance));
    const hop = await nextHop(adminClient(at, signal), last, others);
    if (hop === undefined) return all;
    // As the proxy before would send it on.
    const path = last.explanation.upstreamPath;
    if (path !== undefined) sent = { ...sent, url: new URL(path, sent.url) };
    last = await explainInto(hop.proxy, sent, at.spiffeId, signal, hop);
    all.push(last);
    at = hop.proxy;
    past.add(at.instance);
  }
}

function findProxy(proxies: readonly RunningProxy[], wanted: string): RunningProxy {
  const found = proxies.filter((proxy) =>
    [
      proxy.name,
      proxy.instance,
      `${proxy.name}.${proxy.namespace}`,
      `${proxy.instance}.${proxy.namespace}`,
      nodeIdOf(proxy),
    ].includes(wanted),
  );
  const [first] = found;
  // Replicas have the same configuration; any can tell.
  if (first !== undefined) return first;
  throw new CliError(EXIT.failed, `no proxy ${wanted} runs on this machine`, proxyNames(proxies));
}

const proxyNames = (proxies: readonly RunningProxy[]): string =>
  proxies.length === 0
    ? '`tulle run` starts one'
    : `there is ${[...new Set(proxies.map(({ name }) => name))].join(', ')}`;
