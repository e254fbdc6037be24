import { isUnixAddress } from '@tulle/model';
import { askProcess } from './ask-process.ts';
import type { Supervisor } from './supervisor.ts';

/** What the front answers. */
export interface FrontAnswer {
  readonly status: number;
  /** A string is text, anything else JSON. */
  readonly body: unknown;
}

interface Explained {
  readonly explanations: readonly { readonly startedAt: string }[];
}

/**
 * `GET /explain?request-id=ID`: any of the processes may have had the request, one that drains too. Each explanation
 * says which (`worker`, the slot).
 */
export async function explainInAll(supervisor: Supervisor, path: string): Promise<FrontAnswer> {
  const processes = supervisor.status().processes.filter(({ state }) => state !== 'starting');
  const answers = await Promise.all(
    processes.map(async ({ slot, adminAddress }) => {
      const socket = isUnixAddress(adminAddress) ? adminAddress.path : '';
      const answer = await askProcess(socket, 'GET', path).catch((error: unknown) => ({
        status: 503,
        body: JSON.stringify({
          error: `the engine process in slot ${slot} does not answer: ${String(error)}`,
        }),
      }));
      return { slot, ...answer };
    }),
  );
  const found = answers.flatMap(({ slot, status, body }) =>
    status === 200
      ? (JSON.parse(body) as Explained).explanations.map((explanation) => ({ ...explanation, worker: slot }))
      : [],
  );
  if (found.length > 0) {
    const explanations = found.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
    return {
      status: 200,
      body: {
        ...(JSON.parse(answers.find(({ status }) => status === 200)?.body ?? '{}') as object),
        explanations,
      },
    };
  }
  // None has it; who could not be asked may have had it.
  const first = answers.find(({ status }) => status === 503) ?? answers[0];
  return first === undefined
    ? { status: 503, body: { error: 'no engine process is ready' } }
    : { status: first.status, body: JSON.parse(first.body) as unknown };
}
