import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyOf, readWorkload } from '@tulle/node-proxy';
import { parseLabel, parsePort } from '@tulle/sidecar/flags';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { WORKLOADS_OPTION, workloadsDirectory } from './node-proxy-directory.ts';

export const command: Command = defineCommand({
  summary: "Give a workload to this node's proxy",
  details:
    'Writes a file into the directory that the proxy watches; whoever makes network namespaces can do the same. Said again,\n' +
    'it replaces what was said before.',
  args: [{ name: 'NAME', help: 'of the workload' }],
  options: {
    network: {
      type: 'string',
      value: 'FILE',
      help: 'its network namespace, e.g. /run/netns/web',
      required: true,
    },
    address: { type: 'string', value: 'IP', help: 'its own, at which others reach it', required: true },
    port: { type: 'list', short: 'p', value: 'PORT', help: 'on which it takes calls; may be repeated' },
    'capture-exclude-inbound': {
      type: 'list',
      value: 'PORT',
      help: 'at which others reach it past the proxy, in plain text; may be repeated',
    },
    resolver: {
      type: 'list',
      value: 'IP',
      help: 'asked for names that the mesh does not know; may be repeated; none leaves its DNS alone',
      defaultText: 'those of the network, else of this machine',
    },
    namespace: { type: 'string', short: 'n', value: 'NAME', help: 'namespace', defaultText: 'default' },
    'service-account': { type: 'string', value: 'NAME', help: 'service account', defaultText: 'its name' },
    label: { type: 'list', short: 'l', value: 'KEY=VALUE', help: 'label', defaultText: 'app=NAME' },
    token: { type: 'string', value: 'TOKEN', help: 'join token for its service account' },
    egress: {
      type: 'string',
      value: 'MODE',
      help: 'what becomes of calls to whom the mesh does not know',
      defaultText: 'passthrough',
      choices: ['passthrough', 'registry-only'],
    },
    reachable: {
      type: 'list',
      value: 'SERVICE',
      help: 'that it calls: NAME, NAME.NAMESPACE, *.NAMESPACE or *; may be repeated. What is not among them the mesh does not know',
      defaultText: '*',
    },
    ...WORKLOADS_OPTION,
  },
  examples: [
    {
      command: 'tulle node-proxy add web --network /run/netns/web --address 10.0.0.7 --port 8080',
      does: 'default/web, in the network namespace web',
    },
  ],
  async run({ io, options, args }) {
    const [name = ''] = args;
    const labels = Object.fromEntries(options.label.map((text) => parseLabel(text)));
    const text = JSON.stringify({
      name,
      network: options.network,
      address: options.address,
      ports: options.port.map((one) => parsePort('port', one)),
      ...(options['capture-exclude-inbound'].length === 0
        ? {}
        : {
            excludeInboundPorts: options['capture-exclude-inbound'].map((one) =>
              parsePort('capture-exclude-inbound', one),
            ),
          }),
      ...(options.resolver.length === 0
        ? {}
        : { resolvers: options.resolver.filter((one) => one !== 'none') }),
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      ...(options['service-account'] === undefined ? {} : { serviceAccount: options['service-account'] }),
      ...(options.label.length === 0 ? {} : { labels }),
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.egress === undefined ? {} : { egress: options.egress }),
      ...(options.reachable.length === 0 ? {} : { reachable: options.reachable }),
    });
    const directory = workloadsDirectory(io, options.workloads);
    let file: string;
    try {
      file = join(directory, `${keyOf(readWorkload(text))}.json`);
    } catch (error) {
      throw new CliError(EXIT.usage, error instanceof Error ? error.message : String(error));
    }
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Whole or not at all: the proxy may look at any moment. It may have a token in it.
    writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    io.out(`${file}\n`);
    return Promise.resolve(EXIT.ok);
  },
});
