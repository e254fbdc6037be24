import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { nodePath, typeText, xdsProblem } from './xds-resources.ts';

interface Shown {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly ttlMs?: number;
  readonly resource: unknown;
}

interface ShownSet {
  readonly node: string;
  readonly version: string;
  readonly resources: readonly Shown[];
}

export const command: Command = defineCommand({
  summary: 'Show the xDS resources that a node gets as they were put',
  details: 'With -o yaml or json they are whole, in the form that tulle xds put reads.',
  args: [{ name: 'NODE', help: "node id, or '*'" }],
  options: { ...LIST_OPTIONS, ...API_OPTION },
  examples: [
    { command: "tulle xds list '*'", does: 'names and versions' },
    { command: 'tulle xds list web -o yaml > web.yaml', does: 'all of it, to put it elsewhere' },
  ],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    await showView(io, options, signal, async () => {
      const answer = await client.call<ShownSet>('GET', nodePath(args[0] as string));
      if (!answer.ok) throw xdsProblem(answer.problem);
      const { node, version, resources } = answer.body;
      return {
        view: {
          rows: resources,
          item: (one) => one.resource,
          document: (rows: readonly Shown[]) => ({
            node,
            version,
            resources: rows.map(({ resource }) => resource),
          }),
          name: ({ typeUrl, name }) => `${typeText(typeUrl)}/${name}`,
          columns: [
            { header: 'TYPE', value: ({ typeUrl }) => typeText(typeUrl) },
            { header: 'NAME', value: ({ name }) => name },
            { header: 'VERSION', value: (one) => one.version },
            {
              header: 'TTL',
              value: ({ ttlMs }) => (ttlMs === undefined ? undefined : `${ttlMs}ms`),
              wide: true,
            },
          ],
          empty: `${node} has an empty set, version ${version}`,
        },
      };
    });
    return EXIT.ok;
  },
});
