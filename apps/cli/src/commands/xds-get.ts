import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { resourcePath, XDS_TYPES, xdsProblem } from './xds-resources.ts';

export const command: Command = defineCommand({
  summary: 'Show one xDS resource of a node, as it was put',
  details: `TYPE is ${XDS_TYPES.join(', ')}, the full name of a message, or a type URL.`,
  args: [
    { name: 'NODE', help: "node id, or '*'" },
    { name: 'TYPE', help: 'type of the resource' },
    { name: 'NAME', help: 'name of the resource' },
  ],
  options: {
    output: {
      type: 'string',
      short: 'o',
      value: 'FORMAT',
      help: 'yaml or json',
      choices: ['yaml', 'json'],
      defaultText: 'yaml',
    },
    ...API_OPTION,
  },
  examples: [{ command: "tulle xds get '*' cluster web", does: 'a cluster, to edit and put again' }],
  async run({ io, options, args, signal }) {
    const [node, type, name] = args as [string, string, string];
    const client = apiClient(await findApi(io, options.api), signal);
    const answer = await client.call<{ readonly resource: unknown }>('GET', resourcePath(node, type, name));
    if (!answer.ok) throw xdsProblem(answer.problem);
    const { resource } = answer.body;
    if (options.output === 'json') io.out(`${JSON.stringify(resource, null, 2)}\n`);
    else io.out((await import('yaml')).stringify(resource));
    return EXIT.ok;
  },
});
