import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { engineCost } from './engine-cost.ts';
import { help, readOptions, type Options } from './options.ts';
import { makePki } from './pki.ts';
import { runScenario, type Row } from './run-scenario.ts';
import { table } from './table.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    return 64;
  }
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  if (process.platform !== 'linux') {
    process.stderr.write('bench: CPU time is read from /proc, so this runs on Linux only\n');
    return 69;
  }
  const present = options.subjects.filter((subject) => {
    const why = subject.missing();
    if (why !== undefined) process.stderr.write(`skipped ${subject.name}/${subject.variant}: ${why}\n`);
    return why === undefined;
  });
  if (options.profileDirectory !== undefined)
    mkdirSync(resolve(options.profileDirectory), { recursive: true });
  const directory = mkdtempSync(join(tmpdir(), 'tulle-bench-'));
  const rows: Row[] = [];
  try {
    if (options.engine) {
      process.stdout.write(await engineCost(options.rounds, options.baselineCheckout, directory));
      return 0;
    }
    const pki = await makePki(directory);
    for (const scenario of options.scenarios) {
      rows.push(
        ...(await runScenario(
          scenario,
          present,
          {
            ...options,
            profileDirectory:
              options.profileDirectory === undefined ? undefined : resolve(options.profileDirectory),
          },
          pki,
          directory,
          progress,
        )),
      );
      progress('');
      process.stdout.write(
        table(
          scenario,
          rows.filter((row) => row.scenario === scenario.name),
          present,
        ),
      );
    }
  } catch (error) {
    progress('');
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    return 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(rows, null, 2)}\n`);
  return 0;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
