import type { SendHandle } from 'node:child_process';
import type { Address, ProxyConfig, TrustBundle } from '@tulle/model';
import { AcceptGate, type ConnectionHandle } from './accept-gate.ts';
import { createStderrLog } from './stderr-log.ts';
import { ProcessIdentities } from './process-identities.ts';
import { openProcessIdentity, type ProcessIdentity } from './process-identity.ts';
import type { SocketHandle } from './bound-socket.ts';
import { createDiscoveries } from './discoveries.ts';
import type { AcquiredListener, CreateEngine, Engine } from './engine.ts';
import { createPending } from './pending.ts';
import { PROTOCOL_VERSION, type SignedIdentity, type ToChild, type ToSupervisor } from './protocol.ts';
import { createTokenDesk, type TokenDesk } from './token-desk.ts';
import { fromWire, toWire } from './wire-error.ts';

/** What an engine process's main hands over. */
export interface EngineProcessOptions<Settings> {
  readonly createEngine: CreateEngine<Settings>;
}

/** Asking the supervisor for a socket or a signature: longer than its own call to the CA may take (10 s). */
const ASK_TIMEOUT_MS = 30_000;
/** Numbers of connections are told at most so often. */
const LOAD_EVERY_MS = 50;
/** How long connections may live on when the supervisor itself is gone and nobody bounds the drain. */
const ORPHAN_DRAIN_MS = 60_000;

/**
 * The main of an engine process: `await runEngineProcess({ createEngine })` is all that a module started by
 * {@link createSupervisor} needs to do. Ends the process when the engine is drained, or with code 1 when it breaks.
 *
 * SIGINT, SIGHUP and SIGQUIT are left to the supervisor; SIGTERM drains, and the supervisor starts another.
 */
export async function runEngineProcess<Settings>(options: EngineProcessOptions<Settings>): Promise<void> {
  if (process.send === undefined) {
    throw new Error(
      'this is the main of an engine process and is started by a supervisor; start the app itself instead',
    );
  }
  const pending = createPending(ASK_TIMEOUT_MS, 'the supervisor');
  const log = createStderrLog();
  let engine: Engine | undefined;
  let identity: ProcessIdentity | undefined;
  const identities = new ProcessIdentities(
    async (csrPem, spiffeId) =>
      pending.ask<SignedIdentity>((id) => send({ kind: 'sign', id, csrPem, spiffeId })),
    log,
  );
  /** Roots that came while the identity was being opened. */
  let newerBundles: readonly TrustBundle[] | undefined;
  let ending = false;
  /** Before the servers; undefined where this is the only process. */
  let gate: AcceptGate | undefined;
  let tokens: TokenDesk | undefined;
  const discoveries = createDiscoveries((message) => send(message));

  const send = (message: ToSupervisor): void => {
    // A broken channel is told by 'disconnect'; a message lost with it needs no error of its own.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };

  const exit = async (code: number): Promise<void> => {
    identity?.close();
    identities.close();
    await engine
      ?.close()
      .catch((error: unknown) => log.error('closing the engine failed', { error: String(error) }));
    // Exiting is explicit: a filter's forgotten timer must not keep a drained process alive.
    if (process.connected) process.disconnect();
    process.exit(code);
  };

  const broken = (error: unknown): void => {
    ending = true;
    if (!process.connected) process.exit(1);
    process.send?.(
      { kind: 'broken', error: toWire(error) } satisfies ToSupervisor,
      undefined,
      undefined,
      () => process.exit(1),
    );
  };

  const drain = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    send({ kind: 'draining' });
    await engine?.drain();
    await exit(0);
  };

  const acquire = async (address: Address): Promise<AcquiredListener> => {
    const {
      key,
      address: real,
      handle,
    } = await pending.ask<{ key: string; address: Address; handle: SocketHandle }>((id) =>
      send({ kind: 'acquire', id, address }),
    );
    gate?.guard(key, handle);
    return { handle, address: real, release: () => send({ kind: 'release', key }) };
  };

  /** Says how many connections there are: at once, then all changes of the next moment together. */
  let loadTimer: NodeJS.Timeout | undefined;
  let loadSaid = 0;
  const sayLoad = (connections: number): void => {
    if (loadTimer !== undefined || connections === loadSaid) return;
    loadSaid = connections;
    send({ kind: 'load', connections });
    loadTimer = setTimeout(() => {
      loadTimer = undefined;
      if (gate !== undefined) sayLoad(gate.connections);
    }, LOAD_EVERY_MS).unref();
  };
  const makeGate = (): AcceptGate =>
    new AcceptGate({
      offer(key, connections, connection, done) {
        if (!process.connected) return done(new Error('the supervisor is gone'));
        process.send?.(
          { kind: 'offer', key, connections } satisfies ToSupervisor,
          connection as unknown as SendHandle,
          undefined,
          done,
        );
      },
      changed: sayLoad,
      nowMs: () => performance.now(),
    });
  const takeConnection = (id: number, key: string, connection: ConnectionHandle): void => {
    const taken = gate?.take(key, connection) === true;
    if (!taken) connection.close(); // this process's copy of it
    send({ kind: 'took', id, taken, connections: gate?.connections ?? 0 });
  };

  const start = async (welcome: Extract<ToChild, { kind: 'welcome' }>): Promise<void> => {
    if (welcome.protocol !== PROTOCOL_VERSION) {
      throw new Error(
        `the supervisor speaks protocol ${welcome.protocol}, this engine ${PROTOCOL_VERSION}; restart the supervisor with the same release`,
      );
    }
    log.level = welcome.logLevel ?? log.level;
    if (welcome.balances === true) gate = makeGate();
    if (welcome.lendsTo !== undefined)
      tokens = createTokenDesk(welcome.lendsTo, (message) => {
        send(message);
        return process.connected;
      });
    if (welcome.identity !== undefined) {
      identity = await openProcessIdentity(
        welcome.identity,
        async (csrPem) => pending.ask<SignedIdentity>((id) => send({ kind: 'sign', id, csrPem })),
        log,
      );
      if (newerBundles !== undefined) identity.adoptBundles(newerBundles);
    }
    await Promise.all((welcome.identities ?? []).map(async (one) => identities.add(one)));
    engine = await options.createEngine({
      settings: welcome.settings as Settings,
      slot: welcome.slot,
      workers: welcome.workers ?? 1,
      generation: welcome.generation,
      listeners: { acquire },
      identity,
      identities: (spiffeId) => identities.get(spiffeId),
      adminAddress: welcome.adminAddress,
      tokens,
      discover: welcome.discovers === true ? discoveries.discover : undefined,
      log,
    });
    if (welcome.config !== undefined) await engine.apply(welcome.config);
    send({ kind: 'ready' });
  };

  const answer = async (
    id: number,
    work: () => Promise<Readonly<Record<string, number>> | undefined>,
  ): Promise<void> => {
    try {
      const stats = await work();
      send({ kind: 'done', id, ...(stats === undefined ? {} : { stats }) });
    } catch (error) {
      send({ kind: 'failed', id, error: toWire(error) });
    }
  };

  const running = (): Engine => {
    if (engine === undefined) throw new Error('the engine is not started yet');
    return engine;
  };
  const apply = async (config: ProxyConfig): Promise<undefined> => {
    await running().apply(config);
    return undefined;
  };

  process.on('message', (message: ToChild, handle: unknown) => {
    switch (message.kind) {
      case 'welcome':
        return void start(message).catch(broken);
      case 'listener':
        return pending.resolve(message.id, { key: message.key, address: message.address, handle });
      case 'signed':
        return pending.resolve(message.id, message.identity);
      case 'failed':
        return pending.reject(message.id, fromWire(message.error));
      case 'config':
        return void answer(message.id, async () => apply(message.config));
      case 'connection':
        return takeConnection(message.id, message.key, handle as ConnectionHandle);
      case 'discovered':
        return discoveries.discovered(message.id);
      case 'lent':
        return tokens?.lent(message.id, message.granted, message.retryInMs);
      case 'least':
        if (gate !== undefined) gate.least = message.connections;
        return undefined;
      case 'stats':
        return void answer(message.id, async () => running().stats?.() ?? {});
      case 'settle-identity':
        return void answer(message.id, async () => {
          await identity?.settled();
          await identities.settled();
          return undefined;
        });
      case 'add-identity':
        return void answer(message.id, async () => {
          await identities.add(message.identity);
          return undefined;
        });
      case 'remove-identity':
        return identities.remove(message.spiffeId);
      case 'renew-identity':
        return message.spiffeId === undefined ? identity?.renew() : identities.renew(message.spiffeId);
      case 'bundles':
        if (message.spiffeId !== undefined) return identities.adoptBundles(message.spiffeId, message.bundles);
        newerBundles = message.bundles;
        return identity?.adoptBundles(message.bundles);
      case 'drain':
        return void drain().catch(broken);
      case 'close':
        return void exit(0);
    }
  });
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {});
  process.on('SIGTERM', () => void drain().catch(broken));
  process.on('disconnect', () => {
    discoveries.end();
    // The supervisor is gone: give the addresses free for its successor and let what runs end.
    if (ending) return;
    setTimeout(() => process.exit(1), ORPHAN_DRAIN_MS).unref();
    void drain().catch(() => process.exit(1));
  });
  send({ kind: 'hello', protocol: PROTOCOL_VERSION, balances: true });
}
