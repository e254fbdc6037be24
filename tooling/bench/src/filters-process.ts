// The engine without a kernel with one of the standard filters.
import { runEngine, type EngineRun } from './engine-run.ts';
import { filterUse, type FilterChoice } from './filter-uses.ts';

const { filter, ...setup } = JSON.parse(process.argv[2] ?? '{}') as EngineRun & { filter: FilterChoice };
const result = await runEngine(setup, filterUse(filter));
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
