import { findKind, KINDS, type Resource } from '@tulle/resources';
import { apiClient, type ApiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { closest } from '../cli/closest.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import type { View } from '../cli/output.ts';
import { SELECTOR_OPTION } from '../cli/selector.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import type { Condition, MeshStatus } from './status.ts';

interface Held {
  readonly resource: Resource;
  readonly owner: string;
  readonly version: string;
  readonly conditions?: readonly Condition[];
  readonly generation?: number;
  /** Of Gateways and routes, as Gateway API writes it. */
  readonly status?: unknown;
}

/** FilterPolicies with what the mesh says of them. */
async function withConditions(held: readonly Held[], client: ApiClient): Promise<readonly Held[]> {
  if (held.length === 0) return held;
  const { filterPolicies } = await client.must<MeshStatus>('GET', '/api/v1/status');
  const conditions = new Map(filterPolicies.map((policy) => [policy.name, policy.conditions]));
  return held.map((one) => {
    const { namespace, name } = one.resource.metadata;
    return { ...one, conditions: conditions.get(`${namespace}/${name}`) ?? [] };
  });
}

/** Where Kubernetes has them; read over where the resource is applied again. */
function documentOf({ resource, conditions, generation, status }: Held): unknown {
  if (status !== undefined) return { ...resource, metadata: { ...resource.metadata, generation }, status };
  return conditions === undefined ? resource : { ...resource, status: { conditions } };
}

const acceptedOf = ({ conditions = [] }: Held): Condition | undefined =>
  conditions.find(({ type }) => type === 'Accepted');
const ACCEPTED = [
  { header: 'ACCEPTED', value: (held: Held): string => acceptedOf(held)?.status ?? '-' },
  {
    header: 'REASON',
    value(held: Held): string {
      const accepted = acceptedOf(held);
      return accepted?.status === 'False' ? accepted.message : '-';
    },
  },
] as const;

/** @throws CliError 64 with what was probably meant */
export function kindNamed(name: string): string | undefined {
  if (name === 'all') return undefined;
  const kind = findKind(name);
  if (kind !== undefined) return kind.kind;
  const guess = closest(
    name,
    KINDS.flatMap((k) => [k.plural, k.kind.toLowerCase(), ...k.shortNames]),
  );
  throw usageError(
    `unknown kind ${JSON.stringify(name)}`,
    guess === undefined ? `kinds: ${KINDS.map((k) => k.plural).join(', ')}, all` : `did you mean ${guess}?`,
  );
}

export const command: Command = defineCommand({
  summary: 'Show resources of the mesh',
  details: `Kinds: ${KINDS.map((k) => [k.plural, ...k.shortNames].join(' or ')).join(', ')}; all shows every kind.`,
  args: [
    { name: 'KIND', help: 'kind, plural or short name, or all' },
    { name: 'NAME', help: 'only this one', optional: true },
  ],
  options: {
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'only this namespace',
      defaultText: 'default',
      env: 'TULLE_NAMESPACE',
    },
    'all-namespaces': { type: 'boolean', short: 'A', help: 'every namespace' },
    ...SELECTOR_OPTION,
    ...LIST_OPTIONS,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle get services', does: 'list Services of the namespace' },
    {
      command: 'tulle get workloads -l version=v2 --sort-by .metadata.name -w',
      does: 'who is v2, as they come and go',
    },
    { command: 'tulle get httproute reviews -o yaml', does: 'one route, to edit and apply again' },
  ],
  async run({ io, options, args, signal }) {
    const kind = kindNamed(args[0] as string);
    const namespace = options['all-namespaces'] ? undefined : (options.namespace ?? 'default');
    const query = new URLSearchParams({
      ...(kind === undefined ? {} : { kind }),
      ...(namespace === undefined ? {} : { namespace }),
    });
    const client = apiClient(await findApi(io, options.api), signal);
    const [, name] = args;
    const load = async (): Promise<readonly Held[]> => {
      const { items } = await client.must<{ items: readonly Held[] }>(
        'GET',
        `/api/v1/resources?${query.toString()}`,
      );
      const held = name === undefined ? items : items.filter((one) => one.resource.metadata.name === name);
      if (name !== undefined && held.length === 0) {
        const guess = closest(
          name,
          items.map((one) => one.resource.metadata.name),
        );
        throw new CliError(
          EXIT.failed,
          `there is no ${kind ?? 'resource'} ${name} in ${namespace === undefined ? 'any namespace' : `namespace ${namespace}`}`,
          guess === undefined ? undefined : `did you mean ${guess}?`,
        );
      }
      return kind === 'FilterPolicy' ? withConditions(held, client) : held;
    };
    await showView(io, options, signal, async () => ({
      view: viewOf(await load(), { kind, namespace, one: name !== undefined }),
    }));
    return EXIT.ok;
  },
});

function viewOf(
  rows: readonly Held[],
  asked: {
    readonly kind: string | undefined;
    readonly namespace: string | undefined;
    /** Whether one is asked for by name. */
    readonly one: boolean;
  },
): View<Held> {
  const { kind, namespace, one } = asked;
  return {
    rows,
    item: documentOf,
    name: (held) => `${held.resource.kind.toLowerCase()}/${held.resource.metadata.name}`,
    labels: (held) => held.resource.metadata.labels,
    document: (shown: readonly Held[]) =>
      one && shown.length === 1
        ? documentOf(shown[0] as Held)
        : { apiVersion: 'v1', kind: 'List', items: shown.map(documentOf) },
    columns: [
      ...(namespace === undefined
        ? [{ header: 'NAMESPACE', value: (held: Held) => held.resource.metadata.namespace }]
        : []),
      ...(kind === undefined ? [{ header: 'KIND', value: (held: Held) => held.resource.kind }] : []),
      { header: 'NAME', value: (held) => held.resource.metadata.name },
      { header: 'SOURCE', value: (held) => held.owner },
      ...(kind === 'FilterPolicy' ? ACCEPTED : []),
      { header: 'VERSION', value: (held) => held.version, wide: true },
    ],
    empty: `No ${kind ?? 'resources'} found${namespace === undefined ? '' : ` in namespace ${namespace}; -A looks in all`}.`,
  };
}
