import { readResources, type Resource } from '@tulle/resources';
import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT, usageError } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { confirmChange, WAIT_OPTION } from './confirm-change.ts';
import { kindNamed } from './get.ts';
import { printDiagnostics } from './diagnostics.ts';
import { readFiles } from './read-files.ts';

/** What became of one resource. */
interface Removal {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly result: 'removed' | 'not found' | 'refused';
  readonly reason?: string;
}

export const command: Command = defineCommand({
  summary: 'Remove resources from the mesh',
  args: [
    { name: 'KIND', help: 'kind, plural or short name', optional: true },
    { name: 'NAME', help: 'which', optional: true, many: true },
  ],
  options: {
    filename: {
      type: 'list',
      short: 'f',
      value: 'FILE',
      help: 'remove what these files hold, instead of KIND NAME',
    },
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'namespace',
      defaultText: 'default',
      env: 'TULLE_NAMESPACE',
    },
    'ignore-not-found': { type: 'boolean', help: 'what is not there is no failure' },
    ...WAIT_OPTION,
    ...OUTPUT_OPTION,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle delete httproute reviews', does: 'remove one route' },
    { command: 'tulle delete -f canary.yaml', does: 'remove what a file holds' },
  ],
  async run({ io, options, args, signal }) {
    const namespace = options.namespace ?? 'default';
    let refs: { kind: string; namespace: string; name: string }[];
    if (options.filename.length > 0) {
      if (args.length > 0) throw usageError('name resources by -f or by KIND NAME, not both');
      const read = await readResources(await readFiles(io, options.filename), { namespace });
      if (read.diagnostics.some((d) => d.class === 'invalid'))
        return printDiagnostics(io, 'table', read.diagnostics);
      refs = read.resources.map(({ resource: r }: { readonly resource: Resource }) => ({
        kind: r.kind,
        namespace: r.metadata.namespace,
        name: r.metadata.name,
      }));
    } else {
      const [kindName, ...names] = args;
      if (kindName === undefined || names.length === 0)
        throw usageError('KIND and NAME are missing', 'tulle delete KIND NAME…, or tulle delete -f FILE');
      const kind = kindNamed(kindName);
      if (kind === undefined)
        throw usageError('all kinds at once are not removed by this command', 'name one kind');
      refs = names.map((name) => ({ kind, namespace, name }));
    }
    const client = apiClient(await findApi(io, options.api), signal);
    const format = (options.output ?? 'table') as Format;
    const people = format === 'table' || format === 'wide';
    const results: Removal[] = [];
    let changeId: string | undefined;
    for (const ref of refs) {
      const answer = await client.call<{ readonly changeId?: string }>(
        'DELETE',
        `/api/v1/resources/${ref.kind}/${ref.namespace}/${ref.name}`,
      );
      const key = `${ref.kind.toLowerCase()}/${ref.name}`;
      if (answer.ok) {
        if (people) io.out(`${key} removed\n`);
        results.push({ ...ref, result: 'removed' });
        changeId = answer.body.changeId ?? changeId;
        continue;
      }
      const { status, detail, hint } = answer.problem;
      const absent = status === 404;
      results.push({ ...ref, result: absent ? 'not found' : 'refused', reason: detail });
      if (!absent || !options['ignore-not-found'])
        io.err(`${key}: ${detail}${hint === undefined ? '' : ` (${hint})`}\n`);
    }
    if (!people)
      await printView<Removal>(io, format, {
        // A name is printed of what is gone, so that another command can go on with it.
        rows: format === 'name' ? results.filter(({ result }) => result === 'removed') : results,
        document: { items: results },
        columns: [],
        name: ({ kind, name }) => `${kind.toLowerCase()}/${name}`,
      });
    // Who confirms the last one has all before it.
    if (changeId !== undefined) await confirmChange(io, client, changeId, options.wait);
    const failed = results.some(
      ({ result }) => result === 'refused' || (result === 'not found' && !options['ignore-not-found']),
    );
    return failed ? EXIT.failed : EXIT.ok;
  },
});
