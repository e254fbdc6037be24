import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tulle/testkit/free-port';

const BIN = fileURLToPath(new URL('../bin/tulle.mjs', import.meta.url));

/** A program that does nothing, and does not outlive who started it, not even when a test ends by force. */
const IDLE = 'const parent = process.ppid; setInterval(() => process.ppid === parent || process.exit(), 500)';

/** How a process ended, and all that it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A process of the test. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with what it wrote once that matches; rejects when it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

/** A sidecar, started by `tulle run` around a program that does nothing. */
export interface RunningSidecar extends Running {
  readonly name: string;
  /** `GET` of its admin interface, as JSON. */
  admin<T>(path: string): Promise<T>;
}

/** How a sidecar is started. */
export interface SidecarStart {
  readonly name: string;
  readonly ports?: readonly number[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Names of Services; each gets a free local port. */
  readonly upstreams?: readonly string[];
  /** Port at which it finds xDS and CA, when that is not the control plane's own. */
  readonly xdsPort?: number;
  /** Supervisor and engine in one process: half the memory and time of two. */
  readonly singleProcess?: boolean;
}

/** A mesh of real processes, with a state directory of its own. */
export interface MeshProcesses {
  readonly dir: string;
  /** Where the control plane serves xDS and CA. */
  readonly xdsPort: number;
  /** `tulle control-plane`, at the same addresses each time it is started. Resolves when it answers. */
  startControlPlane(): Promise<Running>;
  /** Resolves when it has its first configuration. */
  startSidecar(options: SidecarStart): Promise<RunningSidecar>;
  /** Runs one command to its end. */
  tulle(...args: string[]): Promise<Ended>;
  /** A request to the REST API. Rejects when the connection breaks. */
  api<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }>;
  /** Ends everything that runs. */
  close(): Promise<void>;
}

export async function meshProcesses(): Promise<MeshProcesses> {
  const dir = await mkdtemp(join(tmpdir(), 'tl-'));
  const env = {
    ...process.env,
    TULLE_STATE_DIR: join(dir, 's'),
    TULLE_RUN_DIR: join(dir, 'r'),
    NO_COLOR: '1',
  };
  const xdsPort = await freePort();
  const apiPort = await freePort();
  const running = new Set<Running>();

  const start = (...args: string[]): Running => {
    const one = watch(
      spawn(process.execPath, [BIN, ...args], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    running.add(one);
    void one.ended.then(() => running.delete(one));
    return one;
  };

  const apiSecret = async (): Promise<string> =>
    (
      JSON.parse(await readFile(join(env.TULLE_STATE_DIR, 'control-plane.json'), 'utf8')) as {
        readonly apiSecret: string;
      }
    ).apiSecret;

  return {
    dir,
    xdsPort,
    async startControlPlane() {
      const one = start('control-plane', '--listen', `127.0.0.1:${xdsPort}`, '--api-port', String(apiPort));
      await one.said(/REST http:/);
      return one;
    },
    async startSidecar({
      name,
      ports = [],
      labels = {},
      upstreams = [],
      singleProcess = false,
      xdsPort: at,
    }) {
      const one = start(
        'run',
        ...['--name', name],
        ...ports.flatMap((port) => ['--port', String(port)]),
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...upstreams.flatMap((service) => ['--upstream', `${service}=0`]),
        ...(at === undefined ? [] : ['--control-plane', `127.0.0.1:${at}`]),
        ...(singleProcess ? ['--no-supervisor'] : []),
        ...['--no-port-check', '--drain-seconds', '0', '--', process.execPath, '-e', IDLE],
      );
      const [, socketPath = ''] = await one.said(/joined; .*admin (\S+)\n/);
      return {
        ...one,
        name,
        async admin<T>(path: string) {
          const { status, text } = await send({ socketPath, path, headers: { host: 'localhost' } });
          if (status !== 200) throw new Error(`${name}: ${path} answered ${status}: ${text}`);
          return JSON.parse(text) as T;
        },
      };
    },
    tulle: async (...args) => start(...args).ended,
    async api<T>(method: string, path: string, body?: unknown) {
      const { status, text } = await send(
        {
          host: '127.0.0.1',
          port: apiPort,
          method,
          path,
          headers: {
            authorization: `Bearer ${await apiSecret()}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        },
        body === undefined ? undefined : JSON.stringify(body),
      );
      return { status, body: JSON.parse(text) as T };
    },
    async close() {
      for (const one of running) one.process.kill('SIGTERM');
      await Promise.all([...running].map(async (one) => one.ended));
      await rm(dir, { recursive: true });
    },
  };
}

function watch(child: ChildProcess): Running {
  let out = '';
  let err = '';
  const waiting = new Set<() => void>();
  const heard = (): void => waiting.forEach((look) => look());
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    heard();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    heard();
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, out, err })),
  );
  return {
    process: child,
    ended,
    said: async (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(out + err);
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        look();
        void ended.then(({ code, signal }) =>
          reject(
            new Error(
              `ended with ${signal ?? String(code)} without saying ${String(pattern)}:\n${out}${err}`,
            ),
          ),
        );
      }),
  };
}

async function send(
  options: Parameters<typeof request>[1],
  body?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ ...options, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}
