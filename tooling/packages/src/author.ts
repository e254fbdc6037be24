import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { freePort, type Running, runToEnd, start } from '@tulle/processes';
import { installed } from './directory.ts';
import type { Registry } from './registry.ts';
import { run } from './run.ts';

const NAME = 'tulle-filter-brew-tea';
const SERVER = `require('node:http').createServer((request, response) => response.end('hello'))
  .listen(Number(process.env.PORT), '127.0.0.1', () => console.log('serving'))`;
/** Calls until the answer has the filter's header, and shows it. */
const CLIENT = `(async () => { for (;;) {
  const answer = await fetch('http://' + process.env.TULLE_UPSTREAM_WEB).catch(() => undefined);
  if (answer?.ok) console.log('answer ' + answer.headers.get('x-brew-tea'));
  if (answer?.ok && answer.headers.has('x-brew-tea')) process.exit(7);
  await new Promise((resolve) => setTimeout(resolve, 100));
} })()`;

const service = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
`;
const policy = (config: string): string => `apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: brew-tea }
spec:
  targetRefs: [{ group: '', kind: Service, name: web }]
  filter: ${NAME}
  config: ${config}
`;

/**
 * What the author of a filter does who has nothing but npm: `npm create tulle-filter`, its tests and checks, `npm pack`; then
 * what an operator does with the tarball: install it beside the command, allow it, run a mesh with it, and apply a policy.
 * @returns what is wrong
 */
export async function runAuthor(registry: Registry, directory: string, node: string): Promise<string[]> {
  const faults: string[] = [];
  const expect = (what: string, text: string, pattern: RegExp): void => {
    if (!pattern.test(text)) faults.push(`author: ${what} does not say ${pattern}, but: ${text}`);
  };
  const running: Running[] = [];
  try {
    mkdirSync(directory);
    const from = `--registry=${registry.url}/`;
    const patient = ['--no-audit', '--no-fund', '--fetch-timeout=20000', '--fetch-retries=4'];
    // A cache of its own: npm would else run what an earlier check has left there under the same version.
    const cache = `--cache=${join(directory, 'npm-cache')}`;
    const created = await run(
      'npm',
      ['create', '--yes', from, cache, 'tulle-filter', 'brew-tea', '--', '--yes'],
      directory,
    );
    expect('npm create', created, /tulle-filter-brew-tea is in tulle-filter-brew-tea:/);
    const author = join(directory, NAME);
    await run('npm', ['install', from, ...patient], author);
    expect('npm test', stripVTControlCharacters(await run('npm', ['test'], author)), /Tests +\d+ passed/);
    await run('npm', ['run', 'check'], author);
    // The table of options follows the schema, and says so when it does not.
    const source = join(author, 'src/filter.ts');
    const text = readFileSync(source, 'utf8');
    writeFileSync(source, text.replaceAll('Its value.', 'What it says.'));
    const stale = await run('npm', ['run', 'docs', '--', '--check'], author).catch(
      (error: Error) => error.message,
    );
    expect('npm run docs -- --check after a change', stale, /run npm run docs/);
    await run('npm', ['run', 'docs'], author);
    expect(
      'the README',
      readFileSync(join(author, 'README.md'), 'utf8'),
      /`value` \| string \|.*What it says/,
    );
    const tarball = (await run('npm', ['pack', '--silent'], author)).trim().split('\n').at(-1) as string;

    const operator = join(directory, 'operator');
    await installed(operator, registry, {
      dependencies: { tulle: 'latest', [NAME]: `file:${join(author, tarball)}` },
      files: {
        'web.yaml': service,
        'policy.yaml': policy("{ header: x-brew-tea, value: 'yes' }"),
        'wrong.yaml': policy("{ header: x-brew-tea, valeu: 'yes' }"),
      },
    });
    const env = {
      TULLE_STATE_DIR: join(operator, 's'),
      TULLE_RUN_DIR: join(operator, 'r'),
      TULLE_FILTERS: 'tulle-filters.json',
      PORT: String(await freePort()),
      NO_COLOR: '1',
    };
    const bin = 'node_modules/tulle/bin/tulle.mjs';
    const tulle = async (...args: string[]): Promise<string> =>
      runToEnd(node, [bin, ...args], { cwd: operator, env });
    const keep = (...args: string[]): Running => {
      const one = start(node, [bin, ...args], { cwd: operator, env });
      running.push(one);
      return one;
    };
    expect('filters allow', await tulle('filters', 'allow', NAME), new RegExp(`${NAME} \\(http\\)`));
    expect('filters list', await tulle('filters', 'list'), new RegExp(`${NAME}@0\\.1\\.0 +ok`));
    await keep('control-plane').said(/REST http:\S+/);
    await tulle('apply', '-f', 'web.yaml');
    const wrong = await tulle('apply', '-f', 'wrong.yaml').catch((error: Error) => error.message);
    expect('apply of a wrong policy', wrong, /valeu/);
    const web = keep('run', '--name', 'web', '--port', env.PORT, '--', node, '-e', SERVER);
    await Promise.all([web.said(/it takes calls from now on/), web.said(/serving/)]);
    const caller = keep('run', '--name', 'caller', '--upstream', 'web=0', '--', node, '-e', CLIENT);
    await caller.said(/answer null/);
    await tulle('apply', '-f', 'policy.yaml');
    const { code, out } = await caller.ended;
    if (code !== 7) faults.push(`author: the caller ended with ${code}:\n${caller.text}`);
    expect('an answer after the policy', out, /answer yes/);
    expect('get filterpolicies', await tulle('get', 'filterpolicies'), /brew-tea +rest +True/);
  } catch (error) {
    faults.push(`author: ${(error as Error).message}`);
  } finally {
    for (const one of running.toReversed()) await one.stop();
  }
  return faults;
}
