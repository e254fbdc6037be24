// The engine without a kernel as one process, since each needs a heap of its own.
import { runEngine, type EngineRun } from './engine-run.ts';

const result = await runEngine(JSON.parse(process.argv[2] ?? '{}') as EngineRun);
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
