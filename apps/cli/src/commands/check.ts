import { formatDiagnostic } from '@tulle/resources';
import { canBindSockets } from '@tulle/supervisor';
import { tulleDirectories, makePrivateDirectory } from '@tulle/sidecar';
import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { paint } from '../cli/io.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { instanceOf, type MeshStatus } from './status.ts';

interface Check {
  readonly category: string;
  readonly description: string;
  readonly result: 'success' | 'warning' | 'error';
  readonly error?: string;
  readonly hint?: string;
}

export const command: Command = defineCommand({
  summary: 'Check this machine and the mesh',
  details: 'Exit code 1 when a check failed; warnings alone give 0.',
  options: { ...OUTPUT_OPTION, ...API_OPTION },
  examples: [
    { command: 'tulle check', does: 'is this machine ready, is the mesh well?' },
    { command: 'tulle check -o json', does: 'one document, for a program' },
  ],
  async run({ io, options, signal }) {
    const checks: Check[] = [];
    const add = async (
      category: string,
      description: string,
      hint: string,
      run: () => Promise<string | undefined> | string | undefined,
      severity: 'warning' | 'error' = 'error',
    ): Promise<void> => {
      try {
        const fault = await run();
        checks.push(
          fault === undefined
            ? { category, description, result: 'success' }
            : { category, description, result: severity, error: fault, hint },
        );
      } catch (error) {
        if (error instanceof CliError && error.exitCode === EXIT.interrupted) throw error;
        const own = error instanceof CliError ? error.hint : undefined;
        checks.push({
          category,
          description,
          result: severity,
          error: error instanceof Error ? error.message : String(error),
          hint: own ?? hint,
        });
      }
    };
    const directories = tulleDirectories(io.env);
    await add(
      'machine',
      'Node can hold sockets for several processes',
      'sidecars run in one process, and a restart closes their sockets; use Node 24',
      () => (canBindSockets() ? undefined : `Node ${process.versions.node} cannot`),
      'warning',
    );
    for (const directory of [directories.state, directories.run]) {
      await add(
        'machine',
        `${directory} is writable and private`,
        'set TULLE_STATE_DIR and TULLE_RUN_DIR',
        () => makePrivateDirectory(directory) as undefined,
      );
    }
    let status: MeshStatus | undefined;
    await add(
      'control plane',
      'the control plane answers',
      'start one, or say where it is with --api',
      async () => {
        status = await apiClient(await findApi(io, options.api), signal).must<MeshStatus>(
          'GET',
          '/api/v1/status',
        );
        return undefined;
      },
    );
    if (status !== undefined) {
      for (const source of status.sources) {
        await add('control plane', `source ${source.id} has no faults`, 'run tulle analyze on it', () =>
          source.faults.length === 0 ? undefined : source.faults.map(formatDiagnostic).join('; '),
        );
      }
      if (!status.proxies.some(({ connected }) => connected))
        await add(
          'proxies',
          'proxies are connected',
          'tulle run starts a program with one',
          () => 'there is none',
          'warning',
        );
      for (const proxy of status.proxies) {
        if (proxy.ended === 'clean') continue; // its program ended, as programs do
        await add(
          'proxies',
          `${instanceOf(proxy)}.${proxy.namespace} is in sync`,
          'tulle status -o json has the reason',
          () => {
            if (!proxy.connected) return 'it is not connected';
            const behind = Object.entries(proxy.kinds).filter(
              ([, k]) => k.state === 'NACKED' || k.state === 'STALE',
            );
            return behind.length === 0
              ? undefined
              : behind
                  .map(([kind, k]) => `${kind} ${k.state}${k.error === undefined ? '' : ` (${k.error})`}`)
                  .join(', ');
          },
        );
      }
    }
    const success = checks.every((check) => check.result !== 'error');
    const format = (options.output ?? 'table') as Format;
    if (format === 'table' || format === 'wide') {
      const p = paint(io, 'out');
      let category = '';
      for (const check of checks) {
        if (check.category !== category) {
          io.out(
            `${category === '' ? '' : '\n'}${p.bold(check.category)}\n${'-'.repeat(check.category.length)}\n`,
          );
          ({ category } = check);
        }
        const mark =
          check.result === 'success' ? p.green('√') : check.result === 'warning' ? p.yellow('‼') : p.red('×');
        io.out(
          `${mark} ${check.description}\n${check.error === undefined ? '' : `    ${check.error}\n    ${check.hint}\n`}`,
        );
      }
      io.out(`\nStatus check results are ${success ? p.green('√') : p.red('×')}\n`);
    } else {
      const categories = [...new Set(checks.map((c) => c.category))].map((categoryName) => ({
        categoryName,
        checks: checks
          .filter((c) => c.category === categoryName)
          .map(({ description, result, error, hint }) => ({
            description,
            result,
            ...(error === undefined ? {} : { error, hint }),
          })),
      }));
      await printView(io, format, {
        rows: checks,
        document: { success, categories },
        columns: [],
        name: (c) => c.description,
      });
    }
    return success ? EXIT.ok : EXIT.failed;
  },
});
