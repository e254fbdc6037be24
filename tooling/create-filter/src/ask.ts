import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { filterNames } from './names.ts';
import { KINDS, PHASES, type GivenOptions } from './options.ts';

/** Asks for what the command line left out, each until the answer is one. */
export async function askFor(given: GivenOptions, stdin: Readable, stdout: Writable): Promise<GivenOptions> {
  const terminal = createInterface({ input: stdin, output: stdout });
  const ask = async (question: string, otherwise: string, wrong: (answer: string) => string | undefined) => {
    for (;;) {
      const text = (
        await terminal.question(`${question}${otherwise === '' ? '' : ` (${otherwise})`}: `)
      ).trim();
      const answer = text === '' ? otherwise : text;
      const reason = wrong(answer);
      if (reason === undefined) return answer;
      stdout.write(`${reason}\n`);
    }
  };
  const among = (choices: readonly string[]) => (answer: string) =>
    choices.includes(answer) ? undefined : `one of ${choices.join(', ')}`;
  try {
    const name =
      given.name ??
      (await ask('Name of the filter', '', (answer) => {
        const names = filterNames(answer);
        return typeof names === 'string' ? names : undefined;
      }));
    const kind = given.kind ?? (await ask(`Kind: ${KINDS.join(' or ')}`, 'http', among(KINDS)));
    const phase =
      given.phase ??
      (kind === 'http' ? await ask(`Phase: ${PHASES.join(', ')}`, 'custom', among(PHASES)) : undefined);
    return { ...given, name, kind, phase };
  } finally {
    terminal.close();
  }
}
