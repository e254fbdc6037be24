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

/** What came of {@link askUntil}. */
export interface Asked {
  readonly asked: number;
  readonly faults: readonly string[];
  /** Answers that would be faults, but that no server can avoid. */
  readonly unavoidable: number;
}

/**
 * Asks everything again and again until `done` settles.
 * @param isUnavoidable of an answer that is none of `allowed`, and of when it was asked for (`performance.now()`)
 */
export async function askUntil(
  done: Promise<unknown>,
  allowed: readonly Generation[],
  ask: (question: Question) => Promise<Answer>,
  isUnavoidable: (answer: Answer, beganMs: number) => boolean = () => false,
): Promise<Asked> {
  let going = true;
  const stop = (): void => void (going = false);
  done.then(stop, stop);
  // Of the first there is nothing before it that is in force all the time.
  const questions = allowed.length < 2 ? [] : questionsOf(allowed);
  const faults: string[] = [];
  let asked = 0;
  let unavoidable = 0;

  async function askOne(question: Question): Promise<string | undefined> {
    const beganMs = performance.now();
    try {
      const answer = await ask(question);
      const fault = faultOf(answer, allowed);
      if (fault === undefined || !isUnavoidable(answer, beganMs)) return fault;
      unavoidable++;
      return undefined;
    } catch (error) {
      return `listener ${question.listener} ${question.path}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  do {
    const answers = await Promise.all(questions.map(askOne));
    asked += answers.length;
    faults.push(...answers.filter((fault) => fault !== undefined));
    await new Promise((resolve) => setImmediate(resolve));
  } while (going && faults.length === 0);
  return { asked, faults, unavoidable };
}
