import { TulleError, type FilterHost, type GrpcStream } from '@tulle/filter';
import type { ReadableMap } from './field-map.ts';
import { GuestMemory } from './guest-memory.ts';
import { bufferImports } from './imports/buffers.ts';
import { grpcCallImports } from './imports/grpc-calls.ts';
import { guarded } from './imports/guard.ts';
import { httpCallImports } from './imports/http-calls.ts';
import { mapImports } from './imports/maps.ts';
import { metricImports } from './imports/metrics.ts';
import { propertyImports } from './imports/properties.ts';
import { rootImports } from './imports/root.ts';
import { sharedImports } from './imports/shared.ts';
import { streamImports } from './imports/streams.ts';
import { wasiImports } from './imports/wasi.ts';
import { resolveImports, type AbiVersion, type GuestModule } from './module.ts';
import type { Settings } from './settings.ts';
import { sharedStore, type SharedStore } from './shared.ts';
import type { StreamContext } from './stream-context.ts';
import { webAssembly, type WasmMemory } from './web-assembly.ts';

/** What came back from a call, as long as the guest is told of it. */
export interface Called {
  readonly headers: ReadableMap | undefined;
  readonly trailers: ReadableMap | undefined;
  readonly body: Uint8Array | undefined;
  /** Of gRPC. */
  readonly status: number;
  readonly text: string;
}

/** Numbers of WebAssembly are of 32 bits; behind the last come the first again. */
const MOST = 0x7fff_ffff;

/** Calls of one guest that may be under way. */
const MOST_CALLS = 1_000;

type Callback = (...args: number[]) => number | undefined;

/** A module that runs. What it gets wrong ends it, and nothing else. */
export class Vm {
  readonly host: FilterHost;
  readonly settings: Settings;
  readonly abi: AbiVersion;
  readonly memory: GuestMemory;
  readonly shared: SharedStore;
  /** The guest's context for the plugin itself. */
  readonly root = 1;
  /** Streams that it knows, by its number for them. */
  readonly contexts: Map<number, StreamContext> = new Map<number, StreamContext>();
  /** Calls under way, by number; those of messages both ways with their stream. */
  readonly calls: Map<number, GrpcStream | undefined> = new Map<number, GrpcStream | undefined>();
  /** Of whom it speaks. */
  effective = 0;
  called: Called | undefined;
  /** Why it runs no more. */
  failure: string | undefined;
  readonly #exports: Readonly<Record<string, unknown>>;
  readonly #woken: (context: StreamContext) => void;
  readonly #releaseShared: () => void;
  /** Streams that are over and that the guest is not done with. */
  readonly #lingering = new Set<number>();
  #nextContext = 2;
  #nextCall = 1;
  #ending = false;
  /** Callbacks that run. */
  #running = 0;
  #stopTick: (() => void) | undefined;

  /**
   * Starts and configures it.
   * @param woken told of a stream about which the guest says something while no hook of it runs
   * @throws TulleError where it cannot be started, or refuses its configuration
   */
  constructor(
    host: FilterHost,
    { module, abi }: GuestModule,
    settings: Settings,
    woken: (context: StreamContext) => void,
  ) {
    this.host = host;
    this.settings = settings;
    this.abi = abi;
    this.#woken = woken;
    const { store, release } = sharedStore(settings.vmId);
    this.shared = store;
    this.#releaseShared = release;
    const failed = (name: string, error: unknown): void =>
      host.log.error(`${name} failed`, { error: String(error) });
    const env = guarded(
      {
        ...rootImports(this),
        ...bufferImports(this),
        ...mapImports(this),
        ...streamImports(this),
        ...httpCallImports(this),
        ...grpcCallImports(this),
        ...sharedImports(this),
        ...metricImports(this),
        ...propertyImports(this),
      },
      failed,
    );
    const wasi = guarded(wasiImports(this), failed);
    try {
      const instance = new webAssembly.Instance(module, resolveImports(module, env, wasi));
      this.#exports = instance.exports;
      const allocate = (this.#exports['proxy_on_memory_allocate'] ?? this.#exports['malloc']) as (
        size: number,
      ) => number;
      this.memory = new GuestMemory(this.#exports['memory'] as WasmMemory, allocate);
      this.#start();
    } catch (error) {
      this.end();
      throw error;
    }
  }

  #start(): void {
    const { vmConfiguration, configuration } = this.settings;
    if (this.has('_initialize')) {
      this.#call('_initialize', this.root, []);
      // Of a reactor, where what a program would do at its start is apart.
      if (this.has('main')) this.#call('main', this.root, [0, 0]);
    } else this.#call('_start', this.root, []);
    this.run('proxy_on_context_create', this.root, 0);
    this.#agree('proxy_on_vm_start', vmConfiguration.length, 'vmConfiguration');
    this.#agree('proxy_validate_configuration', configuration.length, 'configuration');
    this.#agree('proxy_on_configure', configuration.length, 'configuration');
  }

  #agree(callback: string, size: number, what: string): void {
    const said = this.run(callback, this.root, size);
    if (this.failure !== undefined)
      throw new TulleError('TULLE_CONFIG_INVALID', `the module ended at its start: ${this.failure}`);
    if (this.has(callback) && said === 0)
      throw new TulleError(
        'TULLE_CONFIG_INVALID',
        `the module refuses its ${what} (${callback} said no); its log lines say why`,
      );
  }

  has(callback: string): boolean {
    return typeof this.#exports[callback] === 'function';
  }

  /** The stream that the guest speaks of; `undefined` for none. */
  current(): StreamContext | undefined {
    return this.contexts.get(this.effective);
  }

  /** Makes the guest know a stream. */
  add(context: StreamContext): void {
    do {
      context.id = this.#nextContext;
      this.#nextContext = this.#nextContext === MOST ? this.root + 1 : this.#nextContext + 1;
    } while (this.contexts.has(context.id) || this.#lingering.has(context.id));
    context.vm = this;
    this.contexts.set(context.id, context);
    this.run('proxy_on_context_create', context.id, this.root);
  }

  /**
   * Calls the guest. @param id of whom it is told, its first argument
   * @returns what it says; `undefined` where it has no such callback, or has ended
   */
  run(callback: string, id: number, ...args: number[]): number | undefined {
    return this.#call(callback, id, [id, ...args]);
  }

  #call(callback: string, id: number, args: readonly number[]): number | undefined {
    const fn = this.#exports[callback] as Callback | undefined;
    if (this.failure !== undefined || typeof fn !== 'function') return undefined;
    const before = this.effective;
    this.effective = id;
    this.#running++;
    try {
      return fn(...args);
    } catch (error) {
      this.#fail(`${callback}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    } finally {
      this.effective = before;
      this.#running--;
      if (this.memory.size > this.settings.maxMemoryBytes)
        this.#fail(`it has ${this.memory.size} bytes of memory, more than maxMemoryBytes`);
    }
  }

  #fail(reason: string): void {
    if (this.failure !== undefined) return;
    this.failure = reason;
    // At its end some SDKs fail; nobody is the worse for it.
    this.host.log[this.#ending ? 'debug' : 'error'](`the module has ended: ${reason}`);
    this.#stop();
    for (const context of this.contexts.values()) this.woken(context);
  }

  /** Tells the guest of what came back. */
  answered(by: number, called: Called, tell: () => void): void {
    // What comes while the guest makes the call waits for it: it is not to be called while it calls.
    if (this.#running > 0) return queueMicrotask(() => this.answered(by, called, tell));
    if (!this.knows(by)) return;
    this.called = called;
    try {
      tell();
    } finally {
      this.called = undefined;
    }
  }

  /** Whether a number is that of the module itself, or of a stream that it was not told to forget. */
  knows(id: number): boolean {
    return id === this.root || this.contexts.has(id) || this.#lingering.has(id);
  }

  hasCluster(name: string): boolean {
    return this.host.clusterHealth(name) !== undefined;
  }

  /** A call begins. @param numberAt where the guest wants its number @returns `undefined` where there are too many */
  beginCall(numberAt: number): number | undefined {
    if (this.calls.size >= MOST_CALLS) return undefined;
    let call;
    do {
      call = this.#nextCall;
      this.#nextCall = call === MOST ? 1 : call + 1;
    } while (this.calls.has(call));
    this.memory.setU32(numberAt, call);
    this.calls.set(call, undefined);
    return call;
  }

  /** The guest has said something about a stream. */
  woken(context: StreamContext): void {
    // Behind the callback in which it was said: the guest must not be called while it calls.
    if (!context.inHook) queueMicrotask(() => this.#woken(context));
  }

  later(tell: () => void): void {
    if (this.failure === undefined) this.host.after(0, tell);
  }

  readonly broken = (error: unknown): void => {
    this.host.log.error('telling the module of an answer failed', { error: String(error) });
  };

  /** @param periodMs 0: no more */
  setTick(periodMs: number): void {
    this.#stopTick?.();
    this.#stopTick = undefined;
    if (periodMs === 0 || this.failure !== undefined) return;
    const tick = (): void => {
      this.#stopTick = this.host.after(periodMs, tick);
      this.run('proxy_on_tick', this.root);
    };
    this.#stopTick = this.host.after(periodMs, tick);
  }

  /** The stream is over: the guest may look at it once more, and forgets it when it says that it is done. */
  remove(context: StreamContext): void {
    const { id } = context;
    const done = this.run('proxy_on_done', id);
    // Also where it is not done yet: the stream cannot be looked at any more then.
    this.run('proxy_on_log', id);
    if (done === 0 && this.failure === undefined) {
      // Its state is the engine's, for the next stream.
      this.contexts.delete(id);
      this.#lingering.add(id);
    } else this.#forget(id);
  }

  /** The guest is done with a stream of which it said that it was not. @returns false for another */
  finished(id: number): boolean {
    if (!this.#lingering.has(id)) return false;
    // It may say so again before it is told.
    this.later(() => {
      if (this.#lingering.has(id)) this.#forget(id);
    });
    return true;
  }

  #forget(id: number): void {
    this.#lingering.delete(id);
    this.run('proxy_on_delete', id);
    this.contexts.delete(id);
  }

  /** Ends it in peace. */
  end(): void {
    this.#ending = true;
    if (this.failure === undefined && this.memory !== undefined) {
      this.run('proxy_on_done', this.root);
      this.run('proxy_on_delete', this.root);
    }
    this.#stop();
    this.failure ??= 'it was ended';
  }

  #stop(): void {
    this.#stopTick?.();
    this.#stopTick = undefined;
    for (const stream of this.calls.values()) stream?.cancel();
    this.calls.clear();
    this.#releaseShared();
  }
}
