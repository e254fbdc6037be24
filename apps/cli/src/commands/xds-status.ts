import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { nodePath, typeText, xdsProblem } from './xds-resources.ts';

/** How a node stands, as the API says it. */
interface NodeStatus<Resources> {
  readonly node: string;
  readonly version?: string;
  readonly set?: 'own' | 'default';
  readonly state: string;
  readonly streams: readonly {
    readonly userAgent: string;
    readonly protocol: string;
    readonly types: readonly { readonly acks: number; readonly nacks: number }[];
  }[];
  readonly resources: Resources;
  readonly waitsFor: readonly string[];
}

interface OneResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly error?: { readonly message: string };
}

export const command: Command = defineCommand({
  summary: 'Show what clients took and refused of the xDS resources that were put for them',
  details: 'With NODE, resource by resource. It ends with 79 where something was refused.',
  args: [{ name: 'NODE', help: 'only this one', optional: true }],
  options: { ...LIST_OPTIONS, ...API_OPTION },
  examples: [
    { command: 'tulle xds status', does: 'every node' },
    { command: 'tulle xds status web -w', does: 'one node, as it takes a change' },
  ],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    const [node] = args;
    let nacked = false;
    if (node === undefined)
      await showView(io, options, signal, async () => {
        const { items } = await client.must<{ items: readonly NodeStatus<number>[] }>('GET', '/api/v1/xds');
        nacked = items.some(({ state }) => state === 'nacked');
        const sum = ({ streams }: NodeStatus<number>, what: 'acks' | 'nacks'): number =>
          streams.reduce((all, { types }) => all + types.reduce((some, type) => some + type[what], 0), 0);
        return {
          view: {
            rows: items,
            document: (rows: readonly NodeStatus<number>[]) => ({ items: rows }),
            name: (one) => one.node,
            columns: [
              { header: 'NODE', value: (one) => one.node },
              { header: 'STATE', value: ({ state }) => state },
              { header: 'VERSION', value: ({ version }) => version },
              { header: 'SET', value: ({ set }) => set },
              {
                header: 'CLIENT',
                value: ({ streams }) => [...new Set(streams.map((s) => s.userAgent))].join(', '),
              },
              {
                header: 'PROTOCOL',
                value: ({ streams }) => [...new Set(streams.map((s) => s.protocol))].join(', '),
              },
              { header: 'ACKS', value: (one) => sum(one, 'acks') },
              { header: 'NACKS', value: (one) => sum(one, 'nacks') },
            ],
            empty: 'no node has resources of its own, and none is connected',
          },
        };
      });
    else
      await showView(io, options, signal, async () => {
        const answer = await client.call<NodeStatus<readonly OneResource[]>>(
          'GET',
          `${nodePath(node)}/status`,
        );
        if (!answer.ok) throw xdsProblem(answer.problem);
        const status = answer.body;
        if (status.version === undefined && status.streams.length === 0)
          throw new CliError(
            EXIT.failed,
            `there is no node ${JSON.stringify(node)}`,
            'tulle xds status lists them',
          );
        nacked = status.state === 'nacked';
        const waits = status.waitsFor.map((one) => `it waits for ${one}`);
        return {
          view: {
            rows: status.resources,
            document: (rows: readonly OneResource[]) => ({ ...status, resources: rows }),
            name: ({ typeUrl, name }) => `${typeText(typeUrl)}/${name}`,
            columns: [
              { header: 'TYPE', value: ({ typeUrl }) => typeText(typeUrl) },
              { header: 'NAME', value: ({ name }) => name },
              { header: 'STATE', value: ({ state }) => state },
              { header: 'VERSION', value: ({ version }) => version },
              { header: 'REASON', value: ({ error }) => error?.message },
            ],
            empty: `${node} is ${status.state}`,
          },
          notes: waits,
        };
      });
    return nacked ? EXIT.findings : EXIT.ok;
  },
});
