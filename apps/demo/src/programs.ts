import { spawnSync } from 'node:child_process';

/** Where the services' sources are, from the demo's directory; nothing in there knows that a mesh exists. */
export const SERVICES = 'services';

type Command = readonly [string, ...string[]];

/** The front page. */
export const front: Command = [process.execPath, `${SERVICES}/front/server.mjs`];
/** The reviews; `VERSION` in the environment says which release it is. */
export const reviews: Command = [process.execPath, `${SERVICES}/reviews/server.mjs`];
/** The catalogue: in Python where there is one, so that the shop speaks two languages. */
export const catalog = (python: string | undefined): Command =>
  python === undefined
    ? [process.execPath, `${SERVICES}/catalog/server.mjs`]
    : ['python3', '-B', `${SERVICES}/catalog/server.py`];
/** Asks an address some times and prints how often it got which status: a job, that ends. */
export const ask = (url: string, times: number): Command => [
  process.execPath,
  'jobs/ask.mjs',
  url,
  String(times),
];

/** E.g. `Python 3.11.2`, or `undefined`. */
export function pythonVersion(): string | undefined {
  const asked = spawnSync('python3', ['--version'], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}
