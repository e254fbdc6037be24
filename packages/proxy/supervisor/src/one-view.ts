import { isUnixAddress } from '@tulle/model';
import { askProcess } from './ask-process.ts';
import { clustersText, mergeClusters, type ClusterPart } from './clusters-view.ts';
import type { FrontAnswer } from './explain-front.ts';
import type { Supervisor } from './supervisor.ts';

/** What one process answered. */
interface Part {
  readonly worker: number;
  readonly page: Readonly<Record<string, unknown>>;
}

/** Pages of which each process knows its own part only, and how parts become one page. */
const VIEWS: Readonly<Record<string, (parts: readonly Part[]) => unknown>> = {
  '/clusters': (parts) => ({ clusters: mergeClusters(parts.map(({ page }) => listOf(page, 'clusters'))) }),
  '/listeners': (parts) => ({ listeners: mergeListeners(parts) }),
  '/plaintext': (parts) => ({ listeners: mergePlaintext(parts) }),
  '/certs': (parts) => ({ certificates: mergeCertificates(parts) }),
  '/server_info': mergeServerInfo,
  // Each sheds load for itself.
  '/overload': (parts) => ({ workers: parts.map(({ worker, page }) => ({ worker, ...page })) }),
};

/**
 * A page of several processes as one, of those that take new work: numbers that count something are sums, and what each
 * has for itself (a certificate, a pid) stands beside the slot that has it, `worker`.
 * @returns `undefined` where there is nothing to put together: one process, or a page that any of them can answer
 * @throws Error when a process does not answer: half of a sum is no sum
 */
export async function oneView(supervisor: Supervisor, target: URL): Promise<FrontAnswer | undefined> {
  const merge = Object.hasOwn(VIEWS, target.pathname) ? VIEWS[target.pathname] : undefined;
  const processes = readyProcesses(supervisor);
  if (merge === undefined || processes.length < 2) return undefined;
  const parts = await Promise.all(
    processes.map(async ({ slot, path }): Promise<Part> => {
      const json = target.pathname === '/clusters' ? '?format=json' : '';
      const { status, body } = await askProcess(path, 'GET', `${target.pathname}${json}`);
      if (status !== 200) throw new Error(`the engine process in slot ${slot} answers ${status}`);
      return { worker: slot, page: JSON.parse(body) as Part['page'] };
    }),
  );
  const merged = merge(parts.toSorted((a, b) => a.worker - b.worker));
  return target.pathname === '/clusters' && target.searchParams.get('format') !== 'json'
    ? { status: 200, body: clustersText((merged as { clusters: readonly ClusterPart[] }).clusters) }
    : { status: 200, body: merged };
}

/**
 * Asks the same of every process that takes new work, or is in one of `states`.
 * @param fault what to say where not all agree
 * @returns what the first said when all agree on `expected`; else 503, naming those that do not
 */
export async function tellAll(
  supervisor: Supervisor,
  path: string,
  expected: number,
  fault = 'not every engine process did what was asked',
  states: readonly ProcessState[] = ['ready'],
): Promise<FrontAnswer & { readonly told: number }> {
  const processes = processesIn(supervisor, states);
  const answers = await Promise.all(
    processes.map(async ({ slot, path: socket }) => {
      const answer = await askProcess(socket, 'POST', path).catch((error: unknown) => String(error));
      return typeof answer === 'string' ? { slot, status: answer, body: '' } : { slot, ...answer };
    }),
  );
  const failed = answers.filter(({ status }) => status !== expected);
  const [first] = answers;
  if (first !== undefined && failed.length === 0)
    return { status: expected, body: first.body, told: answers.length };
  return {
    status: 503,
    told: answers.length - failed.length,
    body: {
      error: first === undefined ? 'no engine process is ready' : fault,
      failed: failed.map(({ slot, status }) => ({ slot, status })),
    },
  };
}

const readyProcesses = (supervisor: Supervisor): ReturnType<typeof processesIn> =>
  processesIn(supervisor, ['ready']);

type ProcessState = ReturnType<Supervisor['status']>['processes'][number]['state'];

function processesIn(
  supervisor: Supervisor,
  states: readonly ProcessState[],
): readonly { readonly slot: number; readonly path: string }[] {
  return supervisor
    .status()
    .processes.filter(({ state }) => states.includes(state))
    .map(({ slot, adminAddress: at }) => ({ slot, path: isUnixAddress(at) ? at.path : '' }));
}

/** A list of a page; its elements are whatever the engine put there. */
function listOf<T>(page: Part['page'], name: string): readonly T[] {
  const list = page[name];
  return Array.isArray(list) ? (list as readonly T[]) : [];
}

interface ListenerPart {
  readonly name: string;
  readonly address: string;
  readonly connections: number;
  readonly draining: boolean;
}

function mergeListeners(parts: readonly Part[]): readonly ListenerPart[] {
  const all = parts.flatMap(({ page }) => listOf<ListenerPart>(page, 'listeners'));
  return [...Map.groupBy(all, ({ name, address }) => `${name} ${address}`).values()].map((same) => ({
    ...(same[0] as ListenerPart),
    connections: same.reduce((sum, { connections }) => sum + connections, 0),
    draining: same.every(({ draining }) => draining),
  }));
}

interface PlaintextPart {
  readonly name: string;
  readonly clients: readonly {
    readonly address: string;
    readonly connections: number;
    readonly lastSeenMs: number;
  }[];
  readonly forgotten: number;
}

function mergePlaintext(parts: readonly Part[]): readonly PlaintextPart[] {
  const all = parts.flatMap(({ page }) => listOf<PlaintextPart>(page, 'listeners'));
  return [...Map.groupBy(all, ({ name }) => name).values()].map((same) => ({
    ...(same[0] as PlaintextPart),
    forgotten: same.reduce((sum, { forgotten }) => sum + forgotten, 0),
    clients: [
      ...Map.groupBy(
        same.flatMap(({ clients }) => clients),
        ({ address }) => address,
      ).values(),
    ].map((seen) => ({
      ...(seen[0] as PlaintextPart['clients'][number]),
      connections: seen.reduce((sum, { connections }) => sum + connections, 0),
      lastSeenMs: Math.max(...seen.map(({ lastSeenMs }) => lastSeenMs)),
    })),
  }));
}

/** Files and roots are the same in every process and stand once; each has a workload certificate of its own. */
function mergeCertificates(parts: readonly Part[]): readonly object[] {
  const all = parts.flatMap(({ worker, page }) =>
    listOf<object>(page, 'certificates').map((certificate) => ({ worker, certificate })),
  );
  return [...Map.groupBy(all, ({ certificate }) => JSON.stringify(certificate)).values()].map((same) => {
    const [first] = same as [(typeof same)[number]];
    return new Set(same.map(({ worker }) => worker)).size === parts.length
      ? first.certificate
      : { ...first.certificate, worker: first.worker };
  });
}

/** Facts of one process, which no sum makes a fact of all. */
const OF_ONE = new Set(['pid', 'uptimeMs', 'state', 'configVersion', 'generation']);

function mergeServerInfo(parts: readonly Part[]): object {
  const merged: Record<string, unknown> = { ...parts[0]?.page };
  delete merged['pid'];
  for (const { page } of parts.slice(1))
    for (const [name, value] of Object.entries(page))
      if (typeof value === 'number' && !OF_ONE.has(name)) merged[name] = Number(merged[name] ?? 0) + value;
  merged['uptimeMs'] = Math.max(...parts.map(({ page }) => Number(page['uptimeMs'])));
  merged['workers'] = parts.map(({ worker, page }) => ({
    worker,
    ...Object.fromEntries(Object.entries(page).filter(([name]) => OF_ONE.has(name))),
  }));
  return merged;
}
