import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT, usageError } from '../cli/exit-codes.ts';
import { nodePath, resourcePath, XDS_TYPES, xdsProblem } from './xds-resources.ts';

export const command: Command = defineCommand({
  summary: 'Remove an xDS resource of a node, or all that it has',
  details: `TYPE is ${XDS_TYPES.join(', ')}, the full name of a message, or a type URL.\nWithout TYPE and NAME the set is forgotten: the node gets that of '*'; where there is none, clients keep what they have.`,
  args: [
    { name: 'NODE', help: "node id, or '*'" },
    { name: 'TYPE', help: 'type of the resource', optional: true },
    { name: 'NAME', help: 'name of the resource', optional: true },
  ],
  options: {
    'allow-missing': { type: 'boolean', help: 'although other resources name it' },
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle xds delete web endpoint orders', does: 'remove one resource' },
    { command: 'tulle xds delete web', does: "have web get what '*' gets" },
  ],
  async run({ io, options, args, signal }) {
    const [node, type, name] = args as [string, string | undefined, string | undefined];
    if (type !== undefined && name === undefined)
      throw usageError('NAME is missing', 'tulle xds delete NODE TYPE NAME, or tulle xds delete NODE');
    const client = apiClient(await findApi(io, options.api), signal);
    const path = type === undefined || name === undefined ? nodePath(node) : resourcePath(node, type, name);
    const answer = await client.call('DELETE', options['allow-missing'] ? `${path}?missing=allow` : path);
    if (!answer.ok) throw xdsProblem(answer.problem);
    io.out(`${[node, type, name].filter((part) => part !== undefined).join(' ')} removed\n`);
    return EXIT.ok;
  },
});
