import type { ProxyConfig } from '@tulle/model';
import type { RunningProxy } from '@tulle/sidecar';
import { apiClient, type ApiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { closest } from '../cli/closest.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';
import { LIST_OPTIONS, showViews, type Shown } from '../cli/show-view.ts';
import { configDifferences, describeDifference } from '../proxies/config-differences.ts';
import { adminClient, isNamed, localProxies, nodeIdOf } from '../proxies/local-proxies.ts';
import { secretView, type ProxyCertificate } from './config-secrets.ts';
import { CONFIG_VIEWS, type Compared } from './config-views.ts';
import { instanceOf, type MeshStatus, type ProxyRow } from './status.ts';

const PARTS = ['listeners', 'routes', 'clusters', 'endpoints', 'filters'] as const;

export const command: Command = defineCommand({
  summary: 'Show what a proxy should have, and, where it runs on this machine, what it really has',
  details:
    'For a proxy of this machine its admin interface is asked too: STATE tells whether a resource is in force, differs, is\nmissing, or is there and should not be, and each difference follows with its place. For one on another machine it is what\nthe control plane wants; tulle status tells what it confirmed. Without a control plane it is what the proxy has. secrets\nare the certificates in use, never keys, and need the machine.',
  args: [
    { name: 'WHAT', help: 'which part', choices: [...PARTS, 'secrets', 'all'] },
    { name: 'PROXY', help: 'workload or instance, or either with .namespace, or node id; see tulle status' },
  ],
  options: { ...LIST_OPTIONS, ...API_OPTION },
  examples: [
    { command: 'tulle config routes web', does: 'where a request of web goes' },
    { command: 'tulle config filters web -o wide', does: 'what its requests pass, with which configuration' },
    { command: 'tulle config all web -o json', does: 'everything, both sides and where they differ' },
  ],
  async run({ io, options, args, signal }) {
    const [what = '', wanted = ''] = args;
    const json = options.output !== undefined && !['table', 'wide', 'name'].includes(options.output);
    await showViews(io, options, signal, async () => {
      const sides = await find(io, options.api, wanted, signal);
      if (what === 'secrets') return [await secrets(sides, signal)];
      const compared = await compare(sides, signal);
      const notes = [...sides.notes, ...(compared.differences ?? []).map(describeDifference)];
      if (what === 'all' && json)
        return [
          { view: { rows: [compared], document: compared, columns: [], name: () => compared.proxy } },
        ] as unknown as Shown<never>[];
      const parts = PARTS.filter((part) => what === part || what === 'all');
      const shown: Shown<never>[] = parts.map((part) => ({ view: CONFIG_VIEWS[part](compared) }));
      if (what === 'all' && sides.local !== undefined) shown.push(await secrets(sides, signal));
      return shown.map((one, i) => (i === shown.length - 1 ? { ...one, notes } : one));
    });
    return EXIT.ok;
  },
});

/** Who can be asked about one proxy. */
interface Sides {
  /** Node id. */
  readonly id: string;
  /** The control plane, unless it cannot be reached. */
  readonly plane: ApiClient | undefined;
  /** The proxy, where it runs on this machine. */
  readonly local: RunningProxy | undefined;
  readonly notes: readonly string[];
}

async function find(io: Io, api: string | undefined, wanted: string, signal: AbortSignal): Promise<Sides> {
  const locals = await localProxies(io);
  try {
    const plane = apiClient(await findApi(io, api), signal);
    const { proxies } = await plane.must<MeshStatus>('GET', '/api/v1/status');
    const { id } = findProxy(proxies, wanted);
    return { id, plane, local: locals.find((one) => nodeIdOf(one) === id), notes: [] };
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.unreachable) throw error;
    const local = locals.find((one) => isNamed(one, wanted));
    if (local === undefined) throw error;
    return {
      id: nodeIdOf(local),
      plane: undefined,
      local,
      notes: [`${error.message}: this is what the proxy has, whatever it should have`],
    };
  }
}

async function compare({ id, plane, local }: Sides, signal: AbortSignal): Promise<Compared> {
  const has =
    local === undefined
      ? undefined
      : await adminClient(local, signal).must<ProxyConfig>('GET', '/config_dump');
  if (plane === undefined) return { proxy: id, ...(has === undefined ? {} : { has }) };
  const raw = await plane.must<ProxyConfig>('GET', `/api/v1/proxies/${encodeURIComponent(id)}/config`);
  if (has === undefined) return { proxy: id, should: raw };
  const { asReceived } = await import('../proxies/as-received.ts');
  const should = asReceived(raw);
  return { proxy: id, should, has, differences: configDifferences(should, has) };
}

async function secrets({ id, local }: Sides, signal: AbortSignal): Promise<Shown<never>> {
  if (local === undefined)
    throw new CliError(
      EXIT.unreachable,
      `${id} does not run on this machine, and its certificates are known there alone`,
      'run this where it runs; tulle ca status tells what the CA issued',
    );
  const { certificates } = await adminClient(local, signal).must<{
    readonly certificates: readonly ProxyCertificate[];
  }>('GET', '/certs');
  return { view: secretView(id, certificates, Date.now()) } as unknown as Shown<never>;
}

function findProxy(proxies: readonly ProxyRow[], wanted: string): ProxyRow {
  const found = proxies.filter(
    (p) =>
      p.id === wanted ||
      [p.workload, instanceOf(p)].some((name) => wanted === name || wanted === `${name}.${p.namespace}`),
  );
  if (found.length === 1) return found[0] as ProxyRow;
  if (found.length > 1)
    throw new CliError(
      EXIT.failed,
      `${wanted} has ${found.length} proxies`,
      `name one of them: ${found.map((p) => `${instanceOf(p)}.${p.namespace}`).join(', ')}`,
    );
  const guess = closest(
    wanted,
    proxies.map((p) => p.workload),
  );
  throw new CliError(
    EXIT.failed,
    `no proxy ${wanted} is connected`,
    guess === undefined ? '`tulle status` lists them' : `did you mean ${guess}?`,
  );
}
