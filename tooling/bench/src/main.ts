import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { engineCost } from './engine-cost.ts';
import { idleSidecar, idleTable } from './idle-sidecar.ts';
import { help, readOptions, type Options } from './options.ts';
import { makePki } from './pki.ts';
import { profileShares, type CpuProfile } from './profile-shares.ts';
import { runScenario, type Row } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';
import type { Subject } from './subjects/index.ts';
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
    if (options.idleSidecar) {
      const processes = await idleSidecar(directory);
      process.stdout.write(idleTable(processes));
      if (options.jsonFile !== undefined)
        writeFileSync(options.jsonFile, `${JSON.stringify(processes, null, 2)}\n`);
      return 0;
    }
    if (options.engine) {
      process.stdout.write(await engineCost('sets', options.rounds, options.baselineCheckout, directory));
      return 0;
    }
    if (options.overhead)
      process.stdout.write(
        await engineCost('telemetry', options.rounds, options.baselineCheckout, directory),
      );
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
      if (options.profileDirectory !== undefined)
        process.stdout.write(shares(scenario, present, resolve(options.profileDirectory)));
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

/** Where the profiled subjects' time went; their profiles are written when they end. */
function shares(scenario: Scenario, subjects: readonly Subject[], directory: string): string {
  const lines: string[] = [];
  for (const { name, variant } of subjects) {
    const profiles = join(directory, `${scenario.name}-${name}-${variant}`);
    const file = existsSync(profiles)
      ? readdirSync(profiles).findLast((entry) => entry.endsWith('.cpuprofile'))
      : undefined;
    if (file === undefined) continue;
    lines.push(
      `\n${scenario.name} ${name}/${variant}: shares of the process's time, ${join(profiles, file)}`,
    );
    const profile = JSON.parse(readFileSync(join(profiles, file), 'utf8')) as CpuProfile;
    for (const [what, percent] of profileShares(profile))
      lines.push(`  ${percent.toFixed(1).padStart(5)} %  ${what}`);
  }
  return `${lines.join('\n')}\n`;
}
