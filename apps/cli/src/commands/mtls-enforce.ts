import type { PeerAuthentication } from '@tulle/resources';
import { apiClient, type ApiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format, type View } from '../cli/output.ts';
import { confirmChange, WAIT_OPTION } from './confirm-change.ts';
import type { MtlsPort } from './mtls-status.ts';
import { ago } from './status.ts';

/** A client that a strict port would refuse. */
interface Refused {
  readonly workload: string;
  readonly namespace: string;
  readonly port: number;
  /** IP address; `others` for those that are not told of one by one. */
  readonly client: string;
  readonly connections: number;
  readonly lastSeenMs?: number;
  readonly policy: string | undefined;
}

export const command: Command = defineCommand({
  summary: 'Ask for mutual TLS, and nothing else, where plain text is still taken',
  details:
    'Makes the PeerAuthentications strict that let plain text in, and waits until the proxies have confirmed it. As long\n' +
    'as somebody came in plain text it does nothing and says who (exit 79): those would be refused. --force does it\n' +
    'nevertheless. Connections in plain text that are open end then.',
  args: [{ name: 'WORKLOAD', help: 'only this workload', optional: true }],
  options: {
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'only workloads of this namespace',
      env: 'TULLE_NAMESPACE',
    },
    'dry-run': { type: 'boolean', help: 'change nothing; only say who would be refused' },
    force: { type: 'boolean', help: 'although somebody would be refused' },
    ...WAIT_OPTION,
    ...OUTPUT_OPTION,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle mtls enforce --dry-run', does: 'who would be refused, by client' },
    { command: 'tulle mtls enforce -n shop', does: 'no plain text in a namespace any more' },
  ],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    const { ports } = await client.must<{ ports: readonly MtlsPort[] }>('GET', '/api/v1/mtls');
    const isMeant = ({ workload, namespace }: MtlsPort): boolean =>
      (args[0] === undefined || args[0] === workload) &&
      (options.namespace === undefined || options.namespace === namespace);
    const meant = ports.filter(isMeant);
    if (args[0] !== undefined && meant.length === 0)
      throw new CliError(
        EXIT.failed,
        `no workload ${args[0]} is connected`,
        '`tulle mtls status` lists them',
      );
    const open = meant.filter(({ mode }) => mode === 'PERMISSIVE');
    const refused = open.flatMap(refusedBy);
    if (options['dry-run'] || (refused.length > 0 && !options.force)) {
      await printView(io, (options.output ?? 'table') as Format, viewOf(refused));
      if (refused.length === 0) {
        io.err(
          open.length === 0
            ? 'no port takes plain text\n'
            : `${open.length} ports take plain text, and nobody uses it\n`,
        );
        return EXIT.ok;
      }
      if (!options['dry-run'])
        io.err(
          'nothing was changed: these clients would be refused; move them into the mesh, or use --force\n',
        );
      return EXIT.findings;
    }
    if (open.length === 0) {
      io.err('no port takes plain text\n');
      return EXIT.ok;
    }
    const policies = [...new Set(open.flatMap(({ policy }) => policy ?? []))];
    const beside = ports.find(
      (port) => port.policy !== undefined && policies.includes(port.policy) && !isMeant(port),
    );
    if (beside !== undefined)
      throw new CliError(
        EXIT.failed,
        `PeerAuthentication ${beside.policy} is for ${beside.workload}.${beside.namespace} too`,
        'apply a narrower one with mtls: { mode: STRICT }, or enforce it for all that it is for',
      );
    const read = await Promise.all(policies.map(async (policy) => strictly(client, policy)));
    // What somebody changed in the meantime is not written over.
    const query = read
      .map(({ version }, i) => `ifVersion=PeerAuthentication/${policies[i]}@${version}`)
      .join('&');
    const { changeId } = await client.must<{ readonly changeId?: string }>('POST', `/api/v1/apply?${query}`, {
      type: 'application/json',
      text: JSON.stringify(read.map(({ strict }) => strict)),
    });
    for (const policy of policies) io.err(`strict: PeerAuthentication ${policy}\n`);
    if (changeId !== undefined) await confirmChange(io, client, changeId, options.wait);
    return EXIT.ok;
  },
});

function refusedBy({ clients, others, ...port }: MtlsPort): Refused[] {
  const { workload, namespace, policy } = port;
  const at = { workload, namespace, port: port.port, policy };
  return [
    ...clients.map(({ address, connections, lastSeenMs }) => ({
      ...at,
      client: address,
      connections,
      lastSeenMs,
    })),
    ...(others === 0 ? [] : [{ ...at, client: 'others', connections: others }]),
  ];
}

function viewOf(rows: readonly Refused[]): View<Refused> {
  return {
    rows,
    document: { refused: rows },
    name: ({ workload, namespace, port, client }) => `${workload}.${namespace}:${port} ${client}`,
    columns: [
      { header: 'WORKLOAD', value: ({ workload, namespace }) => `${workload}.${namespace}` },
      { header: 'PORT', value: ({ port }) => port },
      { header: 'CLIENT', value: ({ client }) => client },
      { header: 'CONNECTIONS', value: ({ connections }) => connections },
      {
        header: 'LAST',
        value: ({ lastSeenMs }) => (lastSeenMs === undefined ? undefined : ago(lastSeenMs, Date.now())),
      },
      { header: 'POLICY', value: ({ policy }) => policy },
    ],
  };
}

/** A PeerAuthentication that lets no plain text in, and the version that it was made of. @throws CliError when it is not REST's to change */
async function strictly(
  client: ApiClient,
  policy: string,
): Promise<{ readonly strict: PeerAuthentication; readonly version: string }> {
  const { resource, owner, version } = await client.must<{
    readonly resource: PeerAuthentication;
    readonly owner: string;
    readonly version: string;
  }>('GET', `/api/v1/resources/PeerAuthentication/${policy}`);
  if (owner !== 'rest')
    throw new CliError(
      EXIT.failed,
      `PeerAuthentication ${policy} belongs to ${owner}`,
      'set mode: STRICT there; nothing was changed',
    );
  const { mtls, portLevelMtls, ...spec } = resource.spec;
  const strict: PeerAuthentication = {
    ...resource,
    spec: {
      ...spec,
      ...(mtls === undefined ? {} : { mtls: { mode: 'STRICT' } }),
      ...(portLevelMtls === undefined
        ? {}
        : {
            portLevelMtls: Object.fromEntries(
              Object.keys(portLevelMtls).map((port) => [port, { mode: 'STRICT' as const }]),
            ),
          }),
    },
  };
  return { strict, version };
}
