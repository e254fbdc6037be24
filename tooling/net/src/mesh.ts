import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { namedCertificate } from '@tulle/interop/certificate';
import { runToEnd, type Running } from '@tulle/processes';
import { joinPlaces, Place } from './network.ts';

const TULLE = fileURLToPath(new URL('../../../apps/cli/bin/tulle.mjs', import.meta.url));
const SIDECAR = fileURLToPath(new URL('../../../apps/sidecar/src/main.ts', import.meta.url));
const SERVER = fileURLToPath(new URL('programs/server.ts', import.meta.url));
const CLIENT = fileURLToPath(new URL('programs/client.ts', import.meta.url));

/** Ports of the server program; see there. */
const PORTS = [8080, 8081, 8082, 8443, 2525, 3306, 8090, 8091, 2527] as const;

/** Of the ports that are not named: called past the proxy. */
const LEFT_ALONE = ['2526', '9092'].flatMap((port) => ['--capture-exclude-inbound', port]);

/** Both run the same program: `plain` beside others on a host, `pod` in a network namespace of its own. */
const SERVICES = ['plain', 'pod'].map(
  (name) => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  selector: { app: ${name} }
  ports:
    - { name: http, port: 80, targetPort: 8080, appProtocol: http }
    - { name: grpc, port: 81, targetPort: 8081, appProtocol: grpc }
    - { name: h2, port: 82, targetPort: 8082, appProtocol: http2 }
    - { name: tls, port: 443, targetPort: 8443, appProtocol: tcp }
    - { name: smtp, port: 25, targetPort: 2525, appProtocol: tcp }
    - { name: any, port: 3306, targetPort: 3306 }
    - { name: some, port: 91, targetPort: 8091 }
    - { name: said, port: 92, targetPort: 2527, appProtocol: http }
    - { name: open, port: 90, targetPort: 8090, appProtocol: http }
---
apiVersion: tulle.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: ${name}-open }
spec: { selector: { matchLabels: { app: ${name} } }, portLevelMtls: { '8090': { mode: PERMISSIVE }, '9091': { mode: PERMISSIVE } } }
`,
);

/** One question of the client program, and what it heard: see there. */
export type Question = readonly [kind: string, ...args: string[]];
export type Answer = Readonly<Record<string, unknown>> & { readonly error?: string };

/** Two machines, a control plane, and the same program on a plain host and in a namespace, all captured. */
export class Mesh {
  readonly host: Place;
  readonly pod: Place;
  readonly directory: string;
  /** The control plane, which may be frozen for a while. */
  control!: { pause(): void; goOn(): void };
  /** `tulle run --capture` of the server on the plain host. */
  plain!: Running;
  /** The sidecar in the namespace. */
  sidecar!: Running;
  #caller = 0;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'tnet-'));
    this.host = new Place('host');
    this.pod = new Place('pod');
    joinPlaces(this.host, this.pod);
  }

  async open(): Promise<void> {
    const { certificate, key } = await namedCertificate('origin');
    writeFileSync(join(this.directory, 'origin.pem'), certificate);
    writeFileSync(join(this.directory, 'origin.key'), key);
    writeFileSync(join(this.directory, 'mesh.yaml'), SERVICES.join('---\n'));
    const running = this.tulle(this.host, ['control-plane', '--listen', '10.77.0.1:15012']);
    await running.said(/REST http/);
    this.control = {
      pause: () => process.kill(running.pid, 'SIGSTOP'),
      goOn: () => process.kill(running.pid, 'SIGCONT'),
    };
    await this.toEnd(['apply', '-f', join(this.directory, 'mesh.yaml')]);
    this.plain = this.runPlain([]);
    await this.plain.said(/it takes calls from now on/);
    this.pod.start(process.execPath, [SERVER, 'pod', this.directory]);
    const token = (await this.toEnd(['token', 'create', 'pod'])).trim();
    this.sidecar = this.runPod(token);
    await this.sidecar.said(/takes calls from now on/);
  }

  runPlain(more: readonly string[]): Running {
    return this.tulle(this.host, [
      ...['run', '--name', 'plain', '--advertise', '10.77.0.1', '--capture', ...LEFT_ALONE, ...more],
      ...ports(),
      ...['--', process.execPath, SERVER, 'plain', this.directory],
    ]);
  }

  runPod(token: string): Running {
    return this.pod.start(
      process.execPath,
      [
        SIDECAR,
        ...['--name', 'pod', '--advertise', '10.77.0.2', '--capture', ...LEFT_ALONE, ...ports()],
        ...['--control-plane', '10.77.0.1:15012', '--trust-domain', 'mesh.local', '--token', token],
        ...['--state-dir', join(this.directory, 'ps'), '--run-dir', join(this.directory, 'pr')],
      ],
      { env: this.env },
    );
  }

  /** Ends the sidecar in the namespace, and starts another that has to join anew. */
  async rejoinPod(): Promise<void> {
    await this.sidecar.stop();
    for (const directory of ['ps', 'pr'])
      rmSync(join(this.directory, directory), { recursive: true, force: true });
    const token = (await this.toEnd(['token', 'create', 'pod'])).trim();
    this.control.pause();
    this.sidecar = this.runPod(token);
  }

  get env(): Readonly<Record<string, string>> {
    return {
      TULLE_STATE_DIR: join(this.directory, 's'),
      TULLE_RUN_DIR: join(this.directory, 'r'),
      NO_COLOR: '1',
    };
  }

  tulle(place: Place, args: readonly string[]): Running {
    return place.start(process.execPath, [TULLE, ...args], { env: this.env });
  }

  /** What a command of the host prints. */
  async toEnd(args: readonly string[]): Promise<string> {
    return runToEnd('nsenter', [`--net=/run/netns/${this.host.name}`, process.execPath, TULLE, ...args], {
      env: this.env,
    });
  }

  /** Asks from the plain host, captured as the workload `caller`. @param more flags of `tulle run` */
  async askFromHost(questions: readonly Question[], more: readonly string[] = []): Promise<Answer[]> {
    const caller = this.tulle(this.host, [
      ...['run', '-q', '--name', `caller${(this.#caller += 1)}`, '--capture', ...more],
      ...['--', process.execPath, CLIENT, JSON.stringify(questions)],
    ]);
    return answersOf(caller);
  }

  /** Asks from inside the namespace, where everything is captured. */
  async askFromPod(questions: readonly Question[]): Promise<Answer[]> {
    return answersOf(this.pod.start(process.execPath, [CLIENT, JSON.stringify(questions)]));
  }

  /** Asks from a program of the plain host that nobody captures. */
  async askUncaptured(questions: readonly Question[]): Promise<Answer[]> {
    return answersOf(this.host.start(process.execPath, [CLIENT, JSON.stringify(questions)]));
  }

  /** `tulle run --capture` of the program that asks when it is told to. */
  runAsker(more: readonly string[]): Running {
    return this.tulle(this.host, [
      ...['run', '--name', `asker${(this.#caller += 1)}`, '--capture', ...more],
      ...['--', process.execPath, fileURLToPath(new URL('programs/asker.ts', import.meta.url))],
    ]);
  }

  /** Calls from one place, captured there, to the service of the other, until {@link stopLoad}. */
  startLoad(from: 'host' | 'pod', to: 'plain' | 'pod'): Running {
    const program = [process.execPath, fileURLToPath(new URL('programs/load.ts', import.meta.url)), to, '80'];
    return from === 'pod'
      ? this.pod.start(program[0] as string, program.slice(1))
      : this.tulle(this.host, [
          'run',
          '-q',
          '--name',
          `load${(this.#caller += 1)}`,
          '--capture',
          '--',
          ...program,
        ]);
  }

  /** A signal reaches the program, also through `tulle run`. */
  stopLoad(load: Running): void {
    process.kill(load.pid, 'SIGUSR1');
  }

  /** Of the engine process that the sidecar in the namespace runs. */
  async sidecarGeneration(): Promise<number> {
    const { supervisor } = JSON.parse(await this.adminOf('pr', '/sidecar')) as {
      supervisor: { processes: readonly { generation: number; state: string }[] };
    };
    return Math.max(
      0,
      ...supervisor.processes.filter(({ state }) => state === 'ready').map(({ generation }) => generation),
    );
  }

  /** Does something while a service runs on the plain host that is not in the mesh. */
  async besideOutsider<T>(work: () => Promise<T>): Promise<T> {
    const program = fileURLToPath(new URL('programs/outsider.ts', import.meta.url));
    const outsider = this.host.start(process.execPath, [program]);
    try {
      await outsider.said(/listening/);
      return await work();
    } finally {
      await outsider.stop();
    }
  }

  /** Connections that the sidecar in the namespace sent on to where they were meant: of the program, or of others to it. */
  async passedThrough(cluster: 'PassthroughCluster' | 'InboundPassthroughCluster'): Promise<number> {
    const metrics = await this.adminOf('pr', '/stats/prometheus');
    const line = new RegExp(
      `^tulle_cluster_upstream_cx_total\\{[^}]*cluster="${cluster}"[^}]*\\} (\\d+)$`,
      'm',
    );
    return Number(line.exec(metrics)?.[1] ?? 0);
  }

  /** What the sidecar in the namespace detected, by protocol and who showed it. */
  async detected(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    const metrics = await this.adminOf('pr', '/stats/prometheus');
    for (const [, labels = '', count] of metrics.matchAll(
      /^tulle_listener_downstream_cx_detected_total\{(.*)\} (\d+)$/gm,
    )) {
      const label = (name: string): string => new RegExp(`${name}="(\\w+)"`).exec(labels)?.[1] ?? '';
      const key = `${label('protocol')} by ${label('by')}`;
      counts[key] = (counts[key] ?? 0) + Number(count);
    }
    return counts;
  }

  /** A page of the admin interface of the proxy whose run directory that is, below the mesh's. */
  async adminOf(runDir: string, path: string): Promise<string> {
    const socketPath = join(this.directory, runDir, 'admin.sock');
    const [response] = (await once(get({ socketPath, path }), 'response')) as [IncomingMessage];
    return text(response);
  }

  /** Where the sidecar of the plain host takes what the kernel leads to it. */
  outboundPorts(): (readonly [host: string, port: string])[] {
    const listing = this.host.run('nft', ['list', 'ruleset']);
    return [...listing.matchAll(/nfproto ipv([46]).* redirect to :(\d+)/g)].map(
      ([, family, port = '']) => [family === '4' ? '127.0.0.1' : '::1', port] as const,
    );
  }

  async close(): Promise<void> {
    await this.pod.close();
    await this.host.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const ports = (): string[] => PORTS.flatMap((port) => ['--port', String(port)]);

async function answersOf(program: Running): Promise<Answer[]> {
  const { code, out, err } = await program.ended;
  if (code !== 0) throw new Error(`the client ended with ${code}: ${err}${out}`);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Answer[];
}
