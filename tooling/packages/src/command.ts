import { join } from 'node:path';
import { type Running, runToEnd, start } from '@tulle/processes';
import { installed } from './directory.ts';
import type { Registry } from './registry.ts';

const SERVER = `require('node:http').createServer((request, response) => response.end('hello ' + request.headers['x-forwarded-client-cert']))
  .listen(Number(process.env.PORT), '127.0.0.1', () => console.log('serving'))`;
/** A sidecar that has joined may still wait for its routes: those answer 404 or 503 by themselves, which is no answer. */
const CLIENT = `(async () => { for (;;) {
  const answer = await fetch('http://' + process.env.TULLE_UPSTREAM_WEB);
  if (answer.ok) { console.log(await answer.text()); process.exit(7); }
  await new Promise((resolve) => setTimeout(resolve, 100));
} })()`;

/**
 * What an operator does: `npm install tulle` in an empty directory, then a control plane and two programs in a mesh, by that
 * command alone.
 * @returns what is wrong
 */
export async function runCommand(registry: Registry, directory: string, node: string): Promise<string[]> {
  const faults: string[] = [];
  await installed(directory, registry, {
    dependencies: { tulle: 'latest' },
    files: {
      'web.yaml': `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`,
    },
  });
  const env = {
    TULLE_STATE_DIR: join(directory, 's'),
    TULLE_RUN_DIR: join(directory, 'r'),
    NO_COLOR: '1',
  };
  const bin = 'node_modules/tulle/bin/tulle.mjs';
  const tulle = (...args: string[]): Promise<string> =>
    runToEnd(node, [bin, ...args], { cwd: directory, env });
  const running: Running[] = [];
  const keep = (...args: string[]): Running => {
    const one = start(node, [bin, ...args], { cwd: directory, env: { ...env, PORT: '8080' } });
    running.push(one);
    return one;
  };
  const expect = (what: string, text: string, pattern: RegExp): void => {
    if (!pattern.test(text)) faults.push(`tulle: ${what} does not say ${pattern}, but: ${text}`);
  };
  try {
    expect('--help', await tulle('--help'), /^ *run +run a program in the mesh/m);
    expect('version', await tulle('version'), /^CLIENT +NODE\n\d+\.\d+\.\d+/);
    await keep('control-plane').said(/REST http:\S+/);
    expect('apply', await tulle('apply', '-f', 'web.yaml'), /Service\/default\/web/);
    const web = keep('run', '--name', 'web', '--port', '8080', '--', node, '-e', SERVER);
    await Promise.all([web.said(/sa\/web joined/), web.said(/serving/)]);
    const caller = keep('run', '--name', 'caller', '--upstream', 'web=0', '--', node, '-e', CLIENT);
    const { code, out } = await caller.ended;
    if (code !== 7) faults.push(`tulle: run ends with ${code}, not with the program's 7:\n${caller.text}`);
    expect('a call through the mesh', out, /hello URI=spiffe:\/\/mesh\.local\/ns\/default\/sa\/caller/);
    expect('status', await tulle('status'), /^web-\S+\.default +yes +\S+ +SYNCED/m);
  } catch (error) {
    faults.push(`tulle: ${(error as Error).message}`);
  } finally {
    for (const one of running.toReversed()) await one.stop();
  }
  return faults;
}
