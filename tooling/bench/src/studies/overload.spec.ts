import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tulle/processes';
import { afterEach, expect, it } from 'vitest';
import type { LimitedOrigin } from '../limited-origin-process.ts';
import type { OverloadSetup } from '../overload-process.ts';
import { stop } from '../pinned.ts';

const children: ChildProcess[] = [];
const directories: string[] = [];
const agents: Agent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await Promise.all(children.splice(0).map(stop));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
  readonly tookMs: number;
}

function ask(port: number, path: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          body,
          tookMs: performance.now() - began,
        }),
      );
    }).on('error', reject);
  });
}

function agent(maxSockets: number): Agent {
  const made = new Agent({ keepAlive: true, maxSockets });
  agents.push(made);
  return made;
}

/** An origin and a proxy, each a process. */
async function processes(
  origin: LimitedOrigin,
  setup: Pick<OverloadSetup, 'work' | 'sheds' | 'adapts'>,
): Promise<{ readonly port: number; readonly adminPort: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-overload-'));
  directories.push(directory);
  const first = fork(file('../limited-origin-process.ts'));
  children.push(first);
  first.send(origin);
  const [originPort] = (await once(first, 'message')) as [number];
  const [port, adminPort] = [await freePort(), await freePort()];
  const told: OverloadSetup = {
    listenPort: port,
    originPort,
    adminPort,
    accessLogFile: join(directory, 'access.log'),
    lateAnyway: true,
    ...setup,
  };
  const proxy = spawn(process.execPath, [file('../overload-process.ts'), JSON.stringify(told)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  children.push(proxy);
  const [said] = (await Promise.race([once(proxy, 'message'), once(proxy, 'exit')])) as [unknown];
  expect(said).toBe('ready');
  return { port, adminPort };
}

/** So many callers ask one request after the other, until `until` says that it is enough. */
async function crowd(port: number, callers: number, until: () => boolean): Promise<Answer[]> {
  const shared = agent(callers);
  const answers: Answer[] = [];
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (!until()) answers.push(await ask(port, '/items/42', shared));
    }),
  );
  return answers;
}

interface OverloadPage {
  readonly actions: readonly { readonly action: string; readonly scalePercent: number }[];
}

it('a proxy that has more to do than it can serves what fits, refuses the rest, shows its pages, and recovers', async () => {
  const { port, adminPort } = await processes(
    { places: 10_000, serviceMs: 1 },
    { work: true, sheds: true, adapts: false },
  );
  const admin = agent(1);
  const taken = async (): Promise<boolean> => {
    const { body } = await ask(adminPort, '/overload', admin);
    const { actions } = JSON.parse(body) as OverloadPage;
    return actions.some(({ action, scalePercent }) => action === 'budget-requests' && scalePercent > 0);
  };
  let over = false;
  // Half a millisecond each: far more than 80 ms of work at a time.
  const load = crowd(port, 600, () => over);
  while (!(await taken()));
  const pagesMs: number[] = [];
  for (let i = 0; i < 10; i++) {
    const { status, tookMs } = await ask(adminPort, '/ready', admin);
    expect(status).toBe(200);
    pagesMs.push(tookMs);
  }
  over = true;
  const answers = await load;
  const served = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 503);
  expect(served.length + refused.length).toBe(answers.length);
  expect(served.length).toBeGreaterThan(100);
  expect(refused.length).toBeGreaterThan(0);
  expect(
    refused.every(({ retryAfter, body }) => retryAfter === '1' && body.startsWith('TULLE_OVERLOADED')),
  ).toBe(true);
  // Of one loop without a bound 600 requests would be 300 ms and more.
  expect(pagesMs.toSorted((a, b) => a - b)[4]).toBeLessThan(1_000);
  while (await taken());
  const after = await crowd(
    port,
    1,
    (() => {
      let left = 50;
      return () => left-- === 0;
    })(),
  );
  expect(after.every(({ status }) => status === 200)).toBe(true);
}, 60_000);

it('a service that is asked for too much answers in time what it can, by adaptive concurrency', async () => {
  const { port } = await processes({ places: 2, serviceMs: 20 }, { work: false, sheds: true, adapts: true });
  const end = performance.now() + 4_000;
  // 40 at a time would wait 400 ms each.
  const answers = await crowd(port, 40, () => performance.now() > end);
  const served = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 503);
  expect(served.length + refused.length).toBe(answers.length);
  expect(served.length).toBeGreaterThan(50);
  expect(refused.every(({ body }) => body.startsWith('TULLE_CONCURRENCY_LIMITED'))).toBe(true);
  expect(refused.length).toBeGreaterThan(0);
  const times = served.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  expect(times[Math.floor(times.length / 2)]).toBeLessThan(300);
}, 60_000);
