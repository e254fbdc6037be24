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
import { writeCharts } from './charts.ts';
import { engineCost } from './engine-cost.ts';
import { idleSidecar, idleTable } from './idle-sidecar.ts';
import { writeFigures } from './figures.ts';
import { overBounds } from './guard.ts';
import { help, readOptions, type Options } from './options.ts';
import { makePki } from './pki.ts';
import { profileShares, type CpuProfile } from './profile-shares.ts';
import { results, type Results, type StudyFound } from './results.ts';
import type { Row } from './rows.ts';
import { runScenario, type Failure } from './run-scenario.ts';
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
  if (options.fromFile !== undefined) {
    try {
      show(JSON.parse(readFileSync(options.fromFile, 'utf8')) as Results, options);
      return 0;
    } catch (error) {
      process.stderr.write(`bench: ${options.fromFile}: ${(error as Error).message}\n`);
      return 65;
    }
  }
  if (process.platform !== 'linux') {
    process.stderr.write('bench: CPU time is read from /proc, so this runs on Linux only\n');
    return 69;
  }
  const directory = mkdtempSync(join(tmpdir(), 'tulle-bench-'));
  try {
    if (options.idleSidecar) {
      const processes = await idleSidecar(directory);
      process.stdout.write(idleTable(processes));
      if (options.jsonFile !== undefined)
        writeFileSync(options.jsonFile, `${JSON.stringify(processes, null, 2)}\n`);
      return 0;
    }
    if (options.engine) {
      const { text, loads } = await engineCost('sets', options.rounds, options.baselineCheckout, directory);
      const broken = options.guard ? overBounds(loads) : [];
      process.stdout.write(`${text}${broken.map((line) => `${line}\n`).join('')}`);
      return broken.length === 0 ? 0 : 1;
    }
    if (options.overhead)
      process.stdout.write(
        (await engineCost('telemetry', options.rounds, options.baselineCheckout, directory)).text,
      );
    return (await compare(options, directory)) ? 0 : 1;
  } catch (error) {
    progress('');
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    return 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Scenario by scenario, then the studies; what was found so far is written each time. @returns whether nothing failed */
async function compare(options: Options, directory: string): Promise<boolean> {
  const rows: Row[] = [];
  const failures: Failure[] = [];
  const skipped: string[] = [];
  const studies: Record<string, StudyFound> = {};
  const skip = (what: string): void => {
    skipped.push(what);
    process.stderr.write(`skipped ${what}\n`);
  };
  const save = (): void => {
    if (options.jsonFile !== undefined)
      writeFileSync(
        options.jsonFile,
        `${JSON.stringify(results({ rows, failures, skipped, studies }), null, 2)}\n`,
      );
  };
  // A file that cannot be written is told of now, not after the first scenario.
  save();
  const present: Subject[] = [];
  for (const subject of options.scenarios.length === 0 ? [] : options.subjects) {
    const why = await subject.missing();
    if (why === undefined) present.push(subject);
    else skip(`${subject.name}/${subject.variant}: ${why}`);
  }
  const profileDirectory =
    options.profileDirectory === undefined ? undefined : resolve(options.profileDirectory);
  if (profileDirectory !== undefined) mkdirSync(profileDirectory, { recursive: true });
  const pki = await makePki(directory);
  for (const scenario of options.scenarios) {
    const fit = present.filter((subject) => {
      const why = subject.unfit?.(scenario);
      // Whoever asked for everything knows that not everything is for everyone.
      if (why !== undefined && options.subjectsChosen)
        skip(`${subject.name}/${subject.variant} in ${scenario.name}: ${why}`);
      return why === undefined;
    });
    const found = await runScenario(
      scenario,
      fit,
      { ...options, profileDirectory },
      pki,
      directory,
      progress,
    );
    progress('');
    rows.push(...found.rows);
    failures.push(...found.failures);
    process.stdout.write(table(scenario, found.rows, found.failures, fit));
    if (profileDirectory !== undefined) process.stdout.write(shares(scenario, fit, profileDirectory));
    save();
  }
  for (const study of options.studies) {
    try {
      const { text, figures } = await study.run({ options, pki, directory, progress });
      progress('');
      studies[study.name] = { about: study.about, text, figures };
      process.stdout.write(`\n${study.name}: ${study.about}\n${text}`);
    } catch (error) {
      progress('');
      failures.push({
        scenario: study.name,
        subject: 'tulle',
        variant: 'study',
        error: (error as Error).message,
      });
      process.stdout.write(`\nFAILED ${study.name}: ${(error as Error).message}\n`);
    }
    save();
  }
  show(results({ rows, failures, skipped, studies }), options);
  return failures.length === 0;
}

/** Makes of the results what was asked for. */
function show(found: Results, options: Options): void {
  if (options.chartsDirectory !== undefined) writeCharts(found.rows, resolve(options.chartsDirectory));
  if (options.figuresFile !== undefined) writeFigures(found, resolve(options.figuresFile), 'charts');
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** Where the profiled subjects' time went; their profiles are written when they end. */
function shares(scenario: Scenario, subjects: readonly Subject[], directory: string): string {
  const lines: string[] = [];
  for (const { name, variant } of subjects) {
    const profiles = join(directory, `${scenario.name}-${name}-${variant}`);
    if (!existsSync(profiles)) continue;
    for (const role of readdirSync(profiles)) {
      const file = readdirSync(join(profiles, role)).findLast((entry) => entry.endsWith('.cpuprofile'));
      if (file === undefined) continue;
      const path = join(profiles, role, file);
      lines.push(`\n${scenario.name} ${name}/${variant} ${role}: shares of the process's time, ${path}`);
      for (const [what, percent] of profileShares(JSON.parse(readFileSync(path, 'utf8')) as CpuProfile))
        lines.push(`  ${percent.toFixed(1).padStart(5)} %  ${what}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
