import { resolve } from 'node:path';
import { allowedFilters } from '@tulle/app-control-plane/allowed-filters';
import { analyze, compareDiagnostics, readResources } from '@tulle/resources';
import { defineCommand, type Command } from '../cli/command.ts';
import { OUTPUT_OPTION, type Format } from '../cli/output.ts';
import { allowListOf } from './filters-file.ts';
import { printDiagnostics } from './diagnostics.ts';
import { readFiles } from './read-files.ts';

export const command: Command = defineCommand({
  summary: 'Check resource files without a control plane',
  details:
    'Reads every document of every file, tells every fault with file, line and column, and looks at how the\n' +
    'resources fit together: dangling references, shadowed rules, policies that select nothing.\n' +
    'Exit code 65 when a document cannot be parsed or breaks its schema, 79 when all are valid and there are findings.',
  options: {
    filename: {
      type: 'list',
      short: 'f',
      value: 'FILE',
      help: 'file or directory of resources, - for standard input; may be repeated',
    },
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'namespace of resources that name none',
      defaultText: 'default',
      env: 'TULLE_NAMESPACE',
    },
    'trust-domain': {
      type: 'string',
      value: 'NAME',
      help: 'trust domain of the mesh: identities of others are findings',
    },
    filters: {
      type: 'string',
      value: 'FILE',
      help: 'allow-list of filters that are npm packages: what policies give them is checked too',
      env: 'TULLE_FILTERS',
    },
    'failure-threshold': {
      type: 'string',
      value: 'SEVERITY',
      help: 'lowest severity that makes the exit code 79',
      choices: ['error', 'warning', 'info'],
      defaultText: 'warning',
    },
    ...OUTPUT_OPTION,
  },
  examples: [
    { command: 'tulle analyze -f mesh/', does: 'check a directory' },
    {
      command: 'kubectl get httproutes -A -o yaml | tulle analyze -f - -o json',
      does: 'check what a cluster has, for a program',
    },
  ],
  async run({ io, options }) {
    const texts = await readFiles(io, options.filename);
    const { filters: allowList } = options;
    const filters =
      allowList === undefined
        ? {}
        : { filters: allowListOf(() => allowedFilters(resolve(io.cwd, allowList))) };
    const read = await readResources(texts, { namespace: options.namespace ?? 'default', ...filters });
    const trustDomain = options['trust-domain'];
    const findings = analyze(read, { ...filters, ...(trustDomain === undefined ? {} : { trustDomain }) });
    const diagnostics = [...read.diagnostics, ...findings].sort(compareDiagnostics);
    return printDiagnostics(
      io,
      (options.output ?? 'table') as Format,
      diagnostics,
      (options['failure-threshold'] ?? 'warning') as 'error' | 'warning' | 'info',
    );
  },
});
