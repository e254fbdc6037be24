import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { readFiles } from './read-files.ts';
import { nodePath, readXdsFiles, xdsProblem } from './xds-resources.ts';

export const command: Command = defineCommand({
  summary: 'Put xDS resources for a node: all of them, or none',
  details:
    "Files are JSON or YAML: a resource with @type, a list of them, or several documents. Clients get them unchanged.\nNODE is the client's node id; '*' is for every node without resources of its own.",
  args: [{ name: 'NODE', help: "node id, or '*'" }],
  options: {
    filename: {
      type: 'list',
      short: 'f',
      value: 'FILE',
      help: 'file or directory of resources, - for standard input; may be repeated',
    },
    replace: { type: 'boolean', help: 'the node has these and no others afterwards' },
    'set-version': {
      type: 'string',
      value: 'TEXT',
      help: 'what clients see as version',
      defaultText: 'a number that grows',
    },
    'allow-missing': {
      type: 'boolean',
      help: 'resources may name clusters, routes, endpoints and secrets that are not there',
    },
    ...API_OPTION,
  },
  examples: [
    { command: "tulle xds put '*' -f edge.yaml --replace", does: 'what every client gets' },
    { command: 'tulle xds put web -f endpoints.yaml', does: 'replace some resources of one node' },
  ],
  async run({ io, options, args, signal }) {
    const node = args[0] as string;
    const { resources, places } = await readXdsFiles(await readFiles(io, options.filename));
    const query = new URLSearchParams({
      ...(options['set-version'] === undefined ? {} : { version: options['set-version'] }),
      ...(options['allow-missing'] ? { missing: 'allow' } : {}),
    }).toString();
    const client = apiClient(await findApi(io, options.api), signal);
    const answer = await client.call<{ readonly version: string }>(
      options.replace ? 'PUT' : 'POST',
      `${nodePath(node)}${query === '' ? '' : `?${query}`}`,
      { type: 'application/json', text: JSON.stringify({ resources }) },
    );
    if (!answer.ok) throw xdsProblem(answer.problem, places);
    io.out(
      `${node}: ${resources.length} ${resources.length === 1 ? 'resource' : 'resources'}, version ${answer.body.version}\n`,
    );
    return EXIT.ok;
  },
});
