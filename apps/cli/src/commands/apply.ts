import { apiClient, type Problem } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { readResources, type Diagnostic } from '@tulle/resources';
import { confirmChange, WAIT_OPTION } from './confirm-change.ts';
import { printDiagnostics } from './diagnostics.ts';
import { readFiles } from './read-files.ts';

interface Applied {
  readonly changeId?: string;
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
  readonly dryRun: boolean;
  readonly findings: readonly Diagnostic[];
}

export const command: Command = defineCommand({
  summary: 'Put resources into the mesh: all of them, or none',
  details:
    'Everything is checked first, here with file, line and column, and again by the control plane; one fault anywhere\nand nothing is changed. Then it waits until the proxies that are concerned have confirmed the change.',
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
    'dry-run': { type: 'boolean', help: 'check only' },
    ...WAIT_OPTION,
    ...OUTPUT_OPTION,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle apply -f canary.yaml', does: 'apply a file' },
    { command: 'tulle apply -f mesh/ --dry-run', does: 'see what would change' },
  ],
  async run({ io, options, signal }) {
    const format = (options.output ?? 'table') as Format;
    const read = await readResources(await readFiles(io, options.filename), {
      namespace: options.namespace ?? 'default',
    });
    if (read.diagnostics.some((d) => d.class === 'invalid')) {
      const code = await printDiagnostics(io, format, read.diagnostics);
      io.err('Nothing was applied.\n');
      return code;
    }
    const client = apiClient(await findApi(io, options.api), signal);
    const body = { type: 'application/json', text: JSON.stringify(read.resources.map((r) => r.resource)) };
    const answer = await client.call<Applied>(
      'POST',
      `/api/v1/apply${options['dry-run'] ? '?dryRun=true' : ''}`,
      body,
    );
    if (!answer.ok) return refused(answer.problem);
    const { body: applied } = answer;
    const rows = [
      ...applied.changed.map((key) => ({ key, result: applied.dryRun ? 'would change' : 'changed' })),
      ...applied.unchanged.map((key) => ({ key, result: 'unchanged' })),
    ];
    await printView(io, format, {
      rows,
      document: applied,
      name: (row) => row.key,
      columns: [
        { header: 'RESOURCE', value: (row) => row.key },
        { header: 'RESULT', value: (row) => row.result },
      ],
      empty: 'The files hold no resources.',
    });
    for (const finding of applied.findings)
      io.err(
        `${finding.severity}: [${finding.code}] ${finding.resource === undefined ? '' : `${finding.resource.kind} ${finding.resource.namespace}/${finding.resource.name}: `}${finding.message}\n`,
      );
    if (applied.changeId !== undefined && !applied.dryRun)
      await confirmChange(io, client, applied.changeId, options.wait);
    return EXIT.ok;
  },
});

function refused(problem: Problem): never {
  const issues = (problem.issues ?? []).map((d) => `\n  [${d.code}] ${d.message}`).join('');
  throw new CliError(
    problem.status === 422 ? EXIT.invalid : EXIT.failed,
    `nothing was applied: ${problem.detail}${issues}`,
    problem.hint,
  );
}
