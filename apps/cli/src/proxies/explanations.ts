import type { RunningProxy } from '@tulle/sidecar';
import type { Listener, ProxyConfig } from '@tulle/model';
import { formatAddress, parseWireName } from '@tulle/model';
import type { Explanation } from '@tulle/proxy';
import type { ApiClient } from '../api/api-client.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { adminClient } from './local-proxies.ts';
import type { Hop } from './next-hop.ts';

/** What one proxy says of a request. */
export interface ProxyExplanation {
  /** Instance, and the id that it proves. */
  readonly proxy: string;
  readonly spiffeId: string;
  readonly explanation: Explanation;
}

interface Answer {
  readonly explanations: readonly Explanation[];
}

/** A request that somebody imagines. */
export interface Imagined {
  readonly method: string;
  readonly url: URL;
  /** `{ name: [value, …] }`, lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/** What the proxies of this machine know of a request, in the order in which it came past them. */
export async function explanationsOf(
  proxies: readonly RunningProxy[],
  requestId: string,
  signal: AbortSignal,
): Promise<readonly ProxyExplanation[]> {
  const found = await Promise.all(
    proxies.map(async (proxy) => {
      const client = adminClient(proxy, signal);
      const answer = await client.call<Answer>('GET', `/explain?request-id=${encodeURIComponent(requestId)}`);
      if (answer.ok) return answer.body.explanations.map((one) => said(proxy, one));
      if (answer.problem.status === 404) return [];
      throw new CliError(EXIT.failed, `${proxy.instance}: ${answer.problem.detail}`);
    }),
  );
  return found.flat().toSorted((a, b) => byWay(a.explanation, b.explanation));
}

/**
 * In which order a request came past two proxies of one machine. Their clocks are the same, in whole milliseconds: who began
 * with the other, and had it for longer, led it to the other.
 */
export function byWay(
  a: Pick<Explanation, 'startedAt' | 'durationMs'>,
  b: Pick<Explanation, 'startedAt' | 'durationMs'>,
): number {
  const apartMs = Date.parse(a.startedAt) - Date.parse(b.startedAt);
  return Math.abs(apartMs) > 1 ? apartMs : b.durationMs - a.durationMs;
}

const said = ({ instance, spiffeId }: RunningProxy, explanation: Explanation): ProxyExplanation => ({
  proxy: instance,
  spiffeId,
  explanation,
});

/** How an imagined request leaves a proxy's own program, or comes to a gateway. */
export async function explainFrom(
  proxy: RunningProxy,
  imagined: Imagined,
  signal: AbortSignal,
): Promise<ProxyExplanation> {
  const client = adminClient(proxy, signal);
  const config = await client.must<ProxyConfig>('GET', '/config_dump');
  return ask(client, proxy, { ...requestOf(imagined), ...wayOut(proxy, config, imagined.url) });
}

/**
 * How an imagined request comes to a proxy's program, or to a waypoint, from a caller who proves `identity` or nothing.
 * @param hop as somebody else would send it; default: to its first port, or for the Service that the URL names
 */
export async function explainInto(
  proxy: RunningProxy,
  imagined: Imagined,
  identity: string | undefined,
  signal: AbortSignal,
  hop: Partial<Pick<Hop, 'port' | 'tunnel'>> = {},
): Promise<ProxyExplanation> {
  const client = adminClient(proxy, signal);
  const { listeners } = await client.must<ProxyConfig>('GET', '/config_dump');
  const inbound = listeners.filter(({ direction }) => direction === 'inbound');
  const waypoint = listeners.find(({ hbone, direction }) => hbone !== undefined && direction !== 'inbound');
  const at = inbound.find(({ address }) => 'port' in address && address.port === hop.port) ?? inbound[0];
  if (at === undefined && waypoint === undefined)
    throw new CliError(
      EXIT.failed,
      `${proxy.instance} has no inbound listener`,
      '`tulle config listeners` shows what it has',
    );
  const tunnel = at === undefined ? (hop.tunnel ?? authorityAt(proxy, waypoint, imagined.url)) : undefined;
  const [, serverName, port] = /^(.*):(\d+)$/.exec(tunnel ?? '') ?? [];
  return ask(client, proxy, {
    ...requestOf(imagined),
    listener: (at ?? waypoint)?.name,
    source: {
      ...(identity === undefined ? {} : { identity }),
      ...(serverName === undefined ? {} : { serverName }),
    },
    ...(serverName === undefined ? {} : { destination: { address: serverName, port: Number(port) } }),
  });
}

/** What a tunnel to a waypoint names for the Service that a URL means. */
function authorityAt(
  { instance, namespace }: RunningProxy,
  waypoint: Listener | undefined,
  url: URL,
): string {
  const served = (waypoint?.filterChains ?? []).flatMap(({ name }) => parseWireName(name) ?? []);
  const found = served.find((one) => meansService(url, one, namespace));
  if (found !== undefined) return `${found.host}:${found.port}`;
  throw new CliError(
    EXIT.failed,
    `${instance} is no waypoint of ${url.host}`,
    `it is that of ${served.map(({ host, port }) => `${host}:${port}`).join(', ') || 'nobody: no Service asks for it'}`,
  );
}

async function ask(client: ApiClient, proxy: RunningProxy, request: object): Promise<ProxyExplanation> {
  const answer = await client.must<Answer>('POST', '/explain', {
    type: 'application/json',
    text: JSON.stringify(request),
  });
  return said(proxy, answer.explanations[0] as Explanation);
}

const requestOf = ({ method, url, headers }: Imagined): object => ({
  method,
  authority: url.host,
  path: `${url.pathname}${url.search}`,
  headers,
});

/**
 * Listener that takes what the proxy's program sends, by the service that the URL names, by its port, or the only one; with
 * captured connections also where the kernel found it going.
 */
function wayOut(
  { instance, namespace, upstreams }: RunningProxy,
  { listeners }: ProxyConfig,
  url: URL,
): object {
  const outer = listeners.filter(({ direction }) => direction !== 'inbound');
  const [only, another] = outer;
  const upstream = upstreams.find(({ service }) => namesService(url, service));
  const found =
    (upstream && outer.find(({ address }) => formatAddress(address) === formatAddress(upstream.address))) ??
    outer.find(({ address }) => 'port' in address && String(address.port) === portOf(url)) ??
    (another === undefined && upstreams.length === 0 ? only : undefined);
  if (found !== undefined) return { listener: found.name };
  const captured = outer.filter(({ originalDestination }) => originalDestination === true);
  for (const { name: listener, filterChains } of captured)
    for (const { name, match } of filterChains) {
      const [cidr] = match?.destinationCidrs ?? [];
      const service = parseWireName(name);
      if (cidr === undefined || service === undefined || !meansService(url, service, namespace)) continue;
      return { listener, destination: { address: cidr.replace(/\/\d+$/, ''), port: service.port } };
    }
  if (captured.length > 0)
    throw new CliError(
      EXIT.failed,
      `the mesh has told ${instance} of no ${url.hostname} with port ${portOf(url)}`,
      'a captured call to whom the mesh does not know passes through as it is, or is refused, as --egress says',
    );
  throw new CliError(
    EXIT.failed,
    `${instance} has no way out for ${url.host}`,
    `it has ${
      [
        ...upstreams.map(({ service, address }) => `${service} at ${formatAddress(address)}`),
        ...outer.map(({ name }) => name),
      ].join(', ') || 'none: see --upstream of tulle run'
    }`,
  );
}

/** Whether a URL means a port of a Service, for somebody of that namespace. */
function meansService(
  url: URL,
  { host, port }: { readonly host: string; readonly port: number },
  from: string,
): boolean {
  const [name, namespace] = host.split('.');
  const [wanted, wantedNamespace = from] = url.hostname.split('.');
  return String(port) === portOf(url) && name === wanted && namespace === wantedNamespace;
}

const portOf = (url: URL): string => url.port || (url.protocol === 'https:' ? '443' : '80');

/** `orders`, `orders.shop` and `orders.shop.svc.cluster.local` are one service; so are both spellings of `--upstream`. */
function namesService({ hostname }: URL, service: string): boolean {
  const [name, namespace] = service.replace(/:\d+$/, '').split(/[./]/);
  const [host, hostNamespace] = hostname.split('.');
  return (
    host === name && (namespace === undefined || hostNamespace === undefined || namespace === hostNamespace)
  );
}
