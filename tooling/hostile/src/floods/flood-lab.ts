import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Target } from '../client.ts';
import type { AttackerReply, Order } from './attacker-process.ts';
import { sleep, type Outcome } from './attack.ts';
import { Background, SoundOrigin, type Seen } from './background.ts';
import { Child } from './children.ts';
import type { OriginOutcome } from './origin-attacks.ts';
import type { ProxyPorts, ProxyReply } from './proxy-options.ts';

/** Between two looks at the proxy's memory. */
const LOOK_MS = 100;
/** Requests that this process sends at once: more would make the background wait for it, not for the proxy. */
const AT_ONCE = 50;
/** How long an attack is watched at least: some hundred requests of the background. */
const WATCH_MS = 1500;
/** How long the background is watched before any attack. */
const QUIET_MS = 2000;

/** What was measured around an attack. */
export interface Watched {
  readonly seen: Seen;
  /** The same callers, at a proxy that nobody attacked, at the same time: what the machine itself does to them. */
  readonly control: Seen;
  /** Most that the proxy's resident memory stood above where it began. */
  readonly grownBytes: number;
  readonly cpuMs: number;
}

/** A proxy, an attacker, a sound origin and callers who have nothing to do with it, each where it disturbs no other. */
export class FloodLab {
  readonly #sound = new SoundOrigin();
  #attacker!: Child<Order, AttackerReply>;
  #proxy!: Child<'look' | 'settle', ProxyReply>;
  #otherProxy!: Child<'look' | 'settle', ProxyReply>;
  #background!: Background;
  #control!: Background;
  target: Target = { host: '127.0.0.1', port: 0 };
  /** 99th percentile of the background without any attack. */
  quietP99Ms = 0;

  async start(): Promise<void> {
    const originPort = await this.#sound.start();
    this.#attacker = new Child('./attacker-process.ts');
    const evil = await this.#attacker.reply();
    const ports: ProxyPorts = {
      originPort,
      evilPort: 'port' in evil ? evil.port : 0,
      refusingPort: await freePort(),
    };
    const proxy = async (): Promise<[Child<'look' | 'settle', ProxyReply>, Target]> => {
      const child = new Child<'look' | 'settle', ProxyReply>(
        './proxy-process.ts',
        [JSON.stringify(ports)],
        ['--expose-gc'],
      );
      const ready = await child.reply();
      return [child, { host: '127.0.0.1', port: 'port' in ready ? ready.port : 0 }];
    };
    let other: Target;
    [this.#proxy, this.target] = await proxy();
    [this.#otherProxy, other] = await proxy();
    this.#background = new Background(this.target);
    this.#control = new Background(other);
    this.#background.start();
    this.#control.start();
    // the first requests compile and connect
    await sleep(500);
    this.#background.reset();
    await sleep(QUIET_MS);
    this.quietP99Ms = this.#background.seen().p99Ms;
  }

  async stop(): Promise<void> {
    await this.#background.stop();
    await this.#control.stop();
    await this.#proxy.stop();
    await this.#otherProxy.stop();
    await this.#attacker.stop();
    await this.#sound.stop();
  }

  async order(order: Order): Promise<Outcome | OriginOutcome | undefined> {
    const reply = await this.#attacker.ask(order);
    return 'outcome' in reply ? reply.outcome : undefined;
  }

  /** Does `what`, and looks at the proxy and at the background meanwhile, for a while at least. */
  async watch(what: () => Promise<void>): Promise<Watched> {
    const before = await this.#look('settle');
    // what was on its way during the collection is not the attack's
    await sleep(LOOK_MS);
    this.#background.reset();
    this.#control.reset();
    let most = before.rssBytes;
    let done = false;
    const working = Promise.all([what(), sleep(WATCH_MS)]).finally(() => (done = true));
    while (!done) {
      most = Math.max(most, (await this.#look('look')).rssBytes);
      await Promise.race([sleep(LOOK_MS), working.catch(() => {})]);
    }
    await working;
    const after = await this.#look('look');
    return {
      seen: this.#background.seen(),
      control: this.#control.seen(),
      grownBytes: Math.max(most, after.rssBytes) - before.rssBytes,
      cpuMs: after.cpuMs - before.cpuMs,
    };
  }

  async #look(how: 'look' | 'settle'): Promise<{ readonly rssBytes: number; readonly cpuMs: number }> {
    const [reply] = await Promise.all([this.#proxy.ask(how), this.#otherProxy.ask(how)]);
    return 'rssBytes' in reply ? reply : { rssBytes: 0, cpuMs: 0 };
  }

  /** Sends `count` requests of HTTP/1, up to {@link AT_ONCE} at once. @returns their statuses, 0 for those that were cut */
  ask(path: string, count: number): Promise<number[]> {
    const agent = new http.Agent({ maxSockets: AT_ONCE });
    return Promise.all(
      Array.from(
        { length: count },
        () =>
          new Promise<number>((resolve) => {
            const request = http.get({ ...this.target, path, agent }, (response) => {
              response.resume();
              response.on('end', () => resolve(response.statusCode ?? 0));
              response.on('error', () => resolve(0));
            });
            request.on('error', () => resolve(0));
          }),
      ),
    ).finally(() => agent.destroy());
  }
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
