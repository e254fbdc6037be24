/**
 * An ordinary client, which knows nothing of a mesh. Its argument is a list of questions in JSON, `[kind, …arguments]`; it prints the
 * list of what it heard: an object each, with `error` where it could not.
 */
import { ask, type Heard } from './questions.ts';

const answers: Heard[] = [];
for (const [kind = '', ...args] of JSON.parse(process.argv[2] ?? '[]') as string[][])
  answers.push(await ask(kind, args));
process.stdout.write(`${JSON.stringify(answers)}\n`, () => process.exit(0));
