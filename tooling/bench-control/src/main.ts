/**
 * `pnpm bench:control [options]`: what the control plane costs and how fast it is as a mesh grows. The control plane is the
 * real one, in a process of its own with its CA, its state on disk and mutual TLS; the proxies are simulated, in another.
 */
import { cpus, loadavg } from 'node:os';
import { HELP, readOptions } from './options.ts';
import { judge } from './promises.ts';
import { type MeshFigures, runMesh } from './run.ts';
import { table, verdicts } from './table.ts';

async function main(): Promise<number> {
  let options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return 64;
  }
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const { json, changes, rounds, profileDir } = options;
  const print = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`);
  const processors = cpus();
  const machine = {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    loadAverage: loadavg(),
  };
  print(
    `${machine.cores} × ${machine.cpu}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`,
  );
  const meshes: MeshFigures[] = [];
  for (const size of options.meshes) {
    const figures = await runMesh({
      size,
      changes,
      rounds,
      ...(profileDir === undefined ? {} : { profileDir }),
      progress: (line) => process.stderr.write(`  … ${line}\n`),
    });
    meshes.push(figures);
    print(table(figures));
  }
  const kept = judge(meshes);
  print(verdicts(kept));
  if (json)
    process.stdout.write(
      `${JSON.stringify({ machine, node: process.version, meshes, promises: kept }, null, 2)}\n`,
    );
  return kept.every(({ ok }) => ok) ? 0 : 1;
}

process.exitCode = await main();
