import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runToEnd, type Running } from '@tulle/processes';
import type { Answer, Question } from './mesh.ts';
import { Place } from './network.ts';

const TULLE = fileURLToPath(new URL('../../../apps/cli/bin/tulle.mjs', import.meta.url));
const SIDECAR = fileURLToPath(new URL('../../../apps/sidecar/src/main.ts', import.meta.url));
const GATEWAY = fileURLToPath(new URL('../../../apps/gateway/src/main.ts', import.meta.url));
/** See there. */
export const PEER: string = fileURLToPath(new URL('programs/peer.ts', import.meta.url));

const CLIENT = fileURLToPath(new URL('programs/client.ts', import.meta.url));

/** Of every workload. */
export const PORT = 8080;
/** Every workload listens there too, and says nothing of it; of the second that it is called past the proxy. */
export const UNNAMED = 9090;
export const LEFT_ALONE = 9092;

/** A workload: a network namespace with a cable to its node. */
export interface Pod {
  readonly name: string;
  readonly place: Place;
  readonly address: string;
  readonly address6: string;
}

/** A machine with workloads that have networks of their own, and the proxy for them. */
export class Node {
  readonly number: number;
  readonly place: Place;
  readonly pods: Pod[] = [];
  proxy!: Running;

  constructor(number: number) {
    this.number = number;
    this.place = new Place(`node${number}`);
    this.place.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    // An address of its own: else it takes the lowest of its ports', which changes as pods come, and who knew the old one
    // reaches nobody for half a minute.
    const hardware = `02:88:00:00:00:0${number}`;
    this.place.ip('link', 'add', 'br0', 'address', hardware, 'type', 'bridge');
    this.place.ip('address', 'add', `10.88.${number}.1/24`, 'dev', 'br0');
    this.place.ip('address', 'add', `fd88:${number}::1/64`, 'dev', 'br0', 'nodad');
    this.place.ip('link', 'set', 'br0', 'up');
  }

  addPod(name: string): Pod {
    const place = new Place(name);
    const last = this.pods.length + 11;
    const address = `10.88.${this.number}.${last}`;
    const address6 = `fd88:${this.number}::${last}`;
    const cable = `v${this.pods.length}`;
    this.place.ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', place.name);
    this.place.ip('link', 'set', cable, 'master', 'br0');
    this.place.ip('link', 'set', cable, 'up');
    place.ip('address', 'add', `${address}/24`, 'dev', 'eth0');
    place.ip('address', 'add', `${address6}/64`, 'dev', 'eth0', 'nodad');
    place.ip('link', 'set', 'eth0', 'up');
    place.ip('route', 'add', 'default', 'via', `10.88.${this.number}.1`);
    place.ip('-6', 'route', 'add', 'default', 'via', `fd88:${this.number}::1`);
    const pod = { name, place, address, address6 };
    this.pods.push(pod);
    return pod;
  }

  async close(): Promise<void> {
    for (const pod of this.pods) await pod.place.close();
    await this.place.close();
  }
}

/** Two nodes with a proxy each, and a control plane on the first. */
export class Nodes {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'tnodes-'));
  readonly one: Node = new Node(1);
  readonly two: Node = new Node(2);

  /** @param names of workloads, by node @param more flags of the control plane */
  async open(
    names: readonly [one: readonly string[], two: readonly string[]],
    more: readonly string[] = [],
  ): Promise<void> {
    const { one, two } = this;
    one.place.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', two.place.name);
    for (const [node, peer] of [
      [one, two],
      [two, one],
    ] as const) {
      node.place.ip('address', 'add', `10.87.0.${node.number}/24`, 'dev', 'eth0');
      node.place.ip('address', 'add', `fd87::${node.number}/64`, 'dev', 'eth0', 'nodad');
      node.place.ip('link', 'set', 'eth0', 'up');
      node.place.ip('route', 'add', `10.88.${peer.number}.0/24`, 'via', `10.87.0.${peer.number}`);
      node.place.ip('-6', 'route', 'add', `fd88:${peer.number}::/64`, 'via', `fd87::${peer.number}`);
    }
    const control = this.tulle(one, ['control-plane', '--listen', '10.87.0.1:15012', ...more]);
    await control.said(/REST http/);
    for (const [index, node] of [one, two].entries()) {
      for (const name of names[index] ?? []) {
        const pod = node.addPod(name);
        this.startPeer(pod);
        await this.add(node, pod);
      }
      this.startProxy(node);
    }
    await this.serving(one, names[0].length);
    await this.serving(two, names[1].length);
  }

  /** @param more flags of `tulle node-proxy` */
  startProxy(node: Node, more: readonly string[] = []): void {
    node.proxy = this.tulle(node, [
      ...['node-proxy', '--control-plane', '10.87.0.1:15012', '--trust-domain', 'mesh.local', ...more],
    ]);
  }

  startPeer(pod: Pod): Running {
    return pod.place.start(process.execPath, [
      PEER,
      'serve',
      pod.name,
      ...[PORT, UNNAMED, LEFT_ALONE].map(String),
    ]);
  }

  /** @param more flags of `tulle node-proxy add` */
  async add(
    node: Node,
    pod: Pod,
    address: string = pod.address,
    more: readonly string[] = [],
  ): Promise<void> {
    const token = (await this.toEnd(this.one, ['token', 'create', pod.name, '-l', `app=${pod.name}`])).trim();
    await this.toEnd(node, [
      ...['node-proxy', 'add', pod.name, '--network', `/run/netns/${pod.place.name}`],
      ...['--address', address, '--port', String(PORT), '--token', token],
      ...['--capture-exclude-inbound', String(LEFT_ALONE), ...more],
    ]);
  }

  /** Resolves when the node's proxy serves all its workloads, at least so many. */
  async serving(node: Node, count: number): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const text = await this.toEnd(node, ['node-proxy', 'list', '-o', 'json']).catch(
        (error: Error) => error.message,
      );
      const states = [...text.matchAll(/"state": "(\w+)"/g)].map(([, state]) => state);
      if (states.length >= count && states.every((state) => state === 'serving')) return;
      if (Date.now() > deadline)
        throw new Error(`node ${node.number} does not serve ${count} workloads: ${text}\n${node.proxy.text}`);
    }
  }

  async apply(text: string): Promise<void> {
    await this.#resources('apply', text);
  }

  async remove(text: string): Promise<void> {
    await this.#resources('delete', text);
  }

  async #resources(command: 'apply' | 'delete', text: string): Promise<void> {
    const file = join(this.directory, 'resources.yaml');
    writeFileSync(file, text);
    await this.toEnd(this.one, [command, '-f', file]);
  }

  env(node: Node): Readonly<Record<string, string>> {
    return {
      TULLE_STATE_DIR: join(this.directory, `s${node.number}`),
      TULLE_RUN_DIR: join(this.directory, `r${node.number}`),
      NO_COLOR: '1',
    };
  }

  tulle(node: Node, args: readonly string[]): Running {
    return node.place.start(process.execPath, [TULLE, ...args], { env: this.env(node) });
  }

  async toEnd(node: Node, args: readonly string[]): Promise<string> {
    return runToEnd('nsenter', [`--net=/run/netns/${node.place.name}`, process.execPath, TULLE, ...args], {
      env: this.env(node),
    });
  }

  /** A sidecar in a pod that is no workload of its node's proxy. */
  async sidecar(pod: Pod): Promise<Running> {
    const token = (await this.toEnd(this.one, ['token', 'create', pod.name, '-l', `app=${pod.name}`])).trim();
    const running = pod.place.start(
      process.execPath,
      [
        SIDECAR,
        ...[
          '--name',
          pod.name,
          '--port',
          String(PORT),
          '--inbound',
          '0.0.0.0:15006',
          '--advertise',
          pod.address,
        ],
        ...['--control-plane', '10.87.0.1:15012', '--trust-domain', 'mesh.local', '--token', token],
        ...[
          '--state-dir',
          join(this.directory, pod.name),
          '--run-dir',
          join(this.directory, `${pod.name}-r`),
        ],
      ],
      { env: { NO_COLOR: '1' } },
    );
    await running.said(/takes calls from now on/);
    return running;
  }

  /** A sidecar that captures everything in the network of a pod, at `ports` for callers of the mesh. */
  async captured(pod: Pod, ports: readonly number[]): Promise<Running> {
    const token = (await this.toEnd(this.one, ['token', 'create', pod.name, '-l', `app=${pod.name}`])).trim();
    const running = pod.place.start(
      process.execPath,
      [
        SIDECAR,
        ...['--name', pod.name, '--advertise', pod.address, '--capture'],
        ...ports.flatMap((port) => ['--port', String(port)]),
        ...['--control-plane', '10.87.0.1:15012', '--trust-domain', 'mesh.local', '--token', token],
        ...['--state-dir', join(this.directory, pod.name)],
        ...['--run-dir', join(this.directory, `${pod.name}-r`)],
      ],
      { env: { NO_COLOR: '1' } },
    );
    await running.said(ports.length > 0 ? /takes calls from now on/ : /captures all connections/);
    return running;
  }

  /**
   * The process of a Gateway, by default on the first node, where both find it.
   * @param at where it runs and listens; `as`: of its directories, where there are several
   */
  async gateway(
    name: string,
    at: {
      readonly node?: Node;
      readonly listen?: string;
      readonly namespace?: string;
      readonly as?: string;
      readonly more?: readonly string[];
    } = {},
  ): Promise<Running> {
    const { node = this.one, listen = '10.87.0.1', namespace = 'default', as = name, more = [] } = at;
    const token = (await this.toEnd(this.one, ['token', 'create', name, '-n', namespace])).trim();
    const running = node.place.start(
      process.execPath,
      [
        GATEWAY,
        ...['--name', name, '--namespace', namespace, '--listen', listen, '--token', token],
        ...['--control-plane', '10.87.0.1:15012', '--trust-domain', 'mesh.local'],
        ...['--state-dir', join(this.directory, as), '--run-dir', join(this.directory, `${as}-r`), ...more],
      ],
      { env: { NO_COLOR: '1' } },
    );
    await running.said(/^gateway spiffe:/m);
    return running;
  }

  /** A page of the admin interface of a Gateway's process. @param as of {@link gateway} */
  async gatewayAdmin(as: string, path: string): Promise<string> {
    const socketPath = join(this.directory, `${as}-r`, 'admin.sock');
    const [response] = (await once(get({ socketPath, path }), 'response')) as [IncomingMessage];
    return text(response);
  }

  /** Of the engine process that serves a Gateway of {@link gateway}. */
  async gatewayGeneration(name: string): Promise<number> {
    const { supervisor } = JSON.parse(await this.gatewayAdmin(name, '/sidecar')) as {
      supervisor: { processes: readonly { generation: number; state: string }[] };
    };
    const ready = supervisor.processes.filter(({ state }) => state === 'ready');
    return Math.max(0, ...ready.map(({ generation }) => generation));
  }

  /** What a program of a pod hears when it asks an address. @param how the method, then fields as `name=value` */
  ask(from: Pod, host: string, port: number = PORT, ...how: readonly string[]): string {
    return from.place.run(process.execPath, [PEER, 'ask', host, String(port), ...how]).trim();
  }

  /** What an ordinary client of a pod hears. @param questions of `programs/questions.ts` */
  askAll(from: Pod, questions: readonly Question[]): Answer[] {
    const said = from.place.run(process.execPath, [CLIENT, JSON.stringify(questions)]);
    return JSON.parse(said.trim().split('\n').at(-1) ?? '') as Answer[];
  }

  /** What a program of a pod finds for a name. @param server asked in place of those of the system */
  lookup(from: Pod, name: string, ...server: readonly string[]): string {
    return from.place.run(process.execPath, [PEER, 'lookup', name, ...server]).trim();
  }

  async close(): Promise<void> {
    await this.two.close();
    await this.one.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
