import { type Generation, PATHS } from './generations.ts';

/** What somebody who asked a listener got. */
export interface Answer {
  /** Place of the listener in the ingredients. */
  readonly listener: number;
  readonly path: string;
  readonly status: number;
  /** Header `x-routes`; `''` for none. */
  readonly routes: string;
  /** Who answered, as `host:port`. */
  readonly origin: string;
  /** Name in the certificate that was shown; absent in plain text. */
  readonly certificate?: string;
}

/** What is asked of every listener. */
export interface Question {
  readonly listener: number;
  readonly path: string;
}

/**
 * Whether an answer is one that these generations give: its routes are those of one of them, and its origin belongs to the
 * cluster that these name, in one of them. Types are taken one after another, so two that follow each other may meet.
 * @returns what is wrong, `undefined` for nothing
 */
export function faultOf(answer: Answer, allowed: readonly Generation[]): string | undefined {
  const { listener, path, status, routes, origin, certificate } = answer;
  const where = `listener ${listener} ${path}`;
  if (status !== 200)
    return `${where}: ${status} (routes ${JSON.stringify(routes)}: ${origin.slice(0, 200)})`;
  const found = allowed.map(({ answers }) => answers.get(listener)).find((one) => one?.routes === routes);
  if (!found)
    return `${where}: routes ${routes} are of none of ${allowed.map(({ version }) => version).join(', ')}`;
  const cluster = found.clusters.get(path) ?? '';
  if (!allowed.some(({ origins }) => origins.get(cluster)?.has(origin)))
    return `${where}: ${origin} answered, which is no endpoint of ${cluster} in ${allowed.map(({ version }) => version).join(', ')}`;
  if (!allowed.some(({ answers }) => answers.get(listener)?.certificate === certificate))
    return `${where}: the certificate ${certificate} was shown`;
  return undefined;
}

/** Everything that can be asked of listeners which all of these generations have. */
export function questionsOf(generations: readonly Generation[]): Question[] {
  const [first, ...others] = generations;
  return [...(first?.answers.keys() ?? [])]
    .filter((listener) => others.every(({ answers }) => answers.has(listener)))
    .flatMap((listener) => PATHS.map((path) => ({ listener, path })));
}

/** Asks everything again and again until `done` settles. @returns how often, and what was wrong */
export async function askUntil(
  done: Promise<unknown>,
  allowed: readonly Generation[],
  ask: (question: Question) => Promise<Answer>,
): Promise<{ readonly asked: number; readonly faults: readonly string[] }> {
  let going = true;
  const stop = (): void => void (going = false);
  done.then(stop, stop);
  // Of the first there is nothing before it that is in force all the time.
  const questions = allowed.length < 2 ? [] : questionsOf(allowed);
  const faults: string[] = [];
  let asked = 0;
  do {
    const answers = await Promise.all(
      questions.map((question) =>
        ask(question).then(
          (answer) => faultOf(answer, allowed),
          (error: unknown) =>
            `listener ${question.listener} ${question.path}: ${error instanceof Error ? error.message : String(error)}`,
        ),
      ),
    );
    asked += answers.length;
    faults.push(...answers.filter((fault) => fault !== undefined));
    await new Promise((resolve) => setImmediate(resolve));
  } while (going && faults.length === 0);
  return { asked, faults };
}
