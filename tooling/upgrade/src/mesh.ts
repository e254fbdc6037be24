import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, start, type Running } from '@tulle/processes';

/** A sidecar alone, as `tulle-sidecar`. */
export interface Sidecar {
  readonly name: string;
  readonly process: Running;
  /** Replaces its engine process; resolves when the new one serves and the old one is gone. */
  restart(): Promise<void>;
  /** Process ids of its engines. */
  engines(): Promise<readonly number[]>;
  /** Whether it has a stream to the control plane. */
  connected(): Promise<boolean>;
  stop(): Promise<void>;
}

/** A change that proxies confirmed. */
export interface Confirmed {
  readonly proxies: number;
  readonly slowestMs: number;
}

/** A mesh of processes, each out of a checkout that is told: state and ports outlive them. */
export interface Mesh {
  /** The program that is called. */
  readonly originPort: number;
  /** Where a caller finds the service `web`, through the sidecar `caller`. */
  readonly callerPort: number;
  /** Starts the control plane; the one before must have ended. */
  startControlPlane(checkout: string): Promise<void>;
  stopControlPlane(): Promise<void>;
  /** Starts a sidecar and waits until it serves. */
  startSidecar(checkout: string, name: 'web' | 'caller'): Promise<Sidecar>;
  /** `tulle apply --wait` of these resources. @throws Error with what it said when not every proxy confirms */
  apply(checkout: string, resources: readonly object[]): Promise<Confirmed>;
  /** One request through the mesh. */
  get(path: string): Promise<number>;
  close(): Promise<void>;
}

const TRUST_DOMAIN = 'upgrade.test';
const START_TIMEOUT_MS = 60_000;

export async function startMesh(): Promise<Mesh> {
  const directory = await mkdtemp(join(tmpdir(), 'tu-')); // short: paths of Unix sockets are
  const env = { TULLE_STATE_DIR: join(directory, 's'), TULLE_RUN_DIR: join(directory, 'r'), NO_COLOR: '1' };
  const node = process.execPath;
  const running = new Set<Running>();
  const track = (one: Running): Running => {
    running.add(one);
    void one.ended.then(() => running.delete(one));
    return one;
  };
  const tulle = (checkout: string, ...args: string[]): Running =>
    track(start(node, [join(checkout, 'apps/cli/bin/tulle.mjs'), ...args], { cwd: directory, env }));
  const origin = track(start(node, [join(import.meta.dirname, 'origin-process.ts')]));
  const originPort = Number((await origin.said(/listens on (\d+)/))[1]);
  const [xdsPort, apiPort, callerPort, inboundPort] = await freePorts(4);
  let controlPlane: Running | undefined;
  let from = '';

  const must = async (checkout: string, ...args: string[]): Promise<{ out: string; err: string }> => {
    const ended = await tulle(checkout, ...args).ended;
    if (ended.code !== 0) throw new Error(`tulle ${args.join(' ')} ended with ${ended.code}: ${ended.err}`);
    return ended;
  };

  const mesh: Mesh = {
    originPort,
    callerPort: callerPort as number,
    async startControlPlane(checkout) {
      from = checkout;
      controlPlane = tulle(
        checkout,
        ...['control-plane', '--trust-domain', TRUST_DOMAIN],
        ...['--listen', `127.0.0.1:${xdsPort}`, '--api-port', String(apiPort)],
      );
      await controlPlane.said(/REST http:/, START_TIMEOUT_MS);
    },
    async stopControlPlane() {
      await controlPlane?.stop();
    },
    async startSidecar(checkout, name) {
      const { out } = await must(from, 'token', 'create', name, '--any-label', '-o', 'json');
      const runDir = join(directory, name);
      const process_ = track(
        start(
          node,
          [
            join(checkout, 'apps/sidecar/src/main.ts'),
            ...['--name', name, '--trust-domain', TRUST_DOMAIN, '--control-plane', `127.0.0.1:${xdsPort}`],
            ...['--state-dir', join(directory, `${name}.state`), '--run-dir', runDir],
            ...(name === 'web'
              ? ['--port', String(originPort), '--inbound', `127.0.0.1:${inboundPort}`]
              : ['--upstream', `web=${callerPort}`]),
          ],
          { cwd: directory, env: { ...env, TULLE_TOKEN: tokenOf(out) } },
        ),
      );
      const sidecar = sidecarAt(name, process_, join(runDir, 'admin.sock'));
      await until(`that ${name} serves`, process_, async () => sidecar.connected());
      return sidecar;
    },
    async apply(checkout, resources) {
      const command = start(
        node,
        [join(checkout, 'apps/cli/bin/tulle.mjs'), 'apply', '-f', '-', '--wait', '30'],
        { cwd: directory, env, input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: resources }) },
      );
      const { code, err } = await track(command).ended;
      const [, proxies, slowestMs] = /confirmed by (\d+) prox\S+ within (\d+) ms/.exec(err) ?? [];
      if (code !== 0 || proxies === undefined)
        throw new Error(`tulle apply ended with ${code}: ${err.trim().split('\n')[0]}`);
      return { proxies: Number(proxies), slowestMs: Number(slowestMs) };
    },
    get: async (path) => (await send({ host: '127.0.0.1', port: callerPort, path })).status,
    async close() {
      await Promise.all([...running].map(async (one) => one.stop()));
      await rm(directory, { recursive: true, force: true });
    },
  };
  return mesh;
}

function sidecarAt(name: string, process_: Running, socketPath: string): Sidecar {
  const ask = async (method: string, path: string): Promise<unknown> => {
    const { status, text } = await send({ socketPath, path, method });
    if (status !== 200) throw new Error(`${name}: ${path} answered ${status}: ${text}`);
    return JSON.parse(text);
  };
  const engines = async (): Promise<readonly number[]> =>
    ((await ask('GET', '/supervisor')) as { processes: { pid: number }[] }).processes.map(({ pid }) => pid);
  return {
    name,
    process: process_,
    engines,
    async restart() {
      const before = await engines();
      await ask('POST', '/supervisor/restart');
      await until(`that ${name} has only its new engine`, process_, async () => {
        const now = await engines();
        return now.length === 1 && !before.includes(now[0] as number);
      });
    },
    connected: async () => ((await ask('GET', '/sidecar')) as { xds: { connected: boolean } }).xds.connected,
    stop: async () => void (await process_.stop()),
  };
}

/** @throws Error with what the process wrote when it ends, or a minute passes, before */
export async function until(what: string, of: Running, met: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  let ended = false;
  void of.ended.then(() => (ended = true));
  for (;;) {
    try {
      if (await met()) return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    if (ended || performance.now() > deadlineMs)
      throw new Error(`${what} did not happen within a minute; it wrote:\n${of.text.slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The token in what `tulle token create -o json` prints, whatever stands around it. */
function tokenOf(out: string): string {
  const { token } = JSON.parse(out) as { readonly token?: string };
  if (token === undefined) throw new Error(`tulle token create printed no token: ${out}`);
  return token;
}

async function send(
  options: Parameters<typeof request>[1],
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ timeout: 60_000, ...options, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`${options.path} was not answered within a minute`)));
    asked.on('error', reject);
    asked.end();
  });
}
