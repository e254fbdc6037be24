import type { Log } from '@tulle/filter';
import { readDirectory, type WorkloadFiles } from './workload-directory.ts';
import { keyOf, type NodeWorkload } from './workload.ts';

/** A workload as it is served, or is about to be. */
export interface Served {
  /** Resolves when it is served. @throws Error with a sentence; nothing is left then */
  start(): Promise<void>;
  /** Ends it, and a start that is under way. @param next the workload as it is to be served later; absent: it is gone */
  stop(next?: NodeWorkload): Promise<void>;
}

interface Entry<S> {
  readonly workload: NodeWorkload;
  readonly served: S;
  readonly text: string;
  readonly work: Promise<void>;
}

/** After a workload could not be served. */
const TRY_AGAIN_MS = 5_000;

/** Serves what a directory says; what becomes of one workload holds up no other. */
export class ServedWorkloads<S extends Served> {
  readonly #directory: string;
  readonly #make: (workload: NodeWorkload) => S;
  readonly #log: Log;
  readonly #tryAgainMs: number;
  readonly #served = new Map<string, Entry<S>>();
  /** By key, each until it has left: who comes after it, by key or in its network, comes only then. */
  readonly #leaving = new Map<string, { readonly network: string; readonly left: Promise<void> }>();
  readonly #faults = new Map<string, string>();
  #files: WorkloadFiles = { workloads: new Map(), faults: [] };
  #stopped = false;

  constructor(
    directory: string,
    make: (workload: NodeWorkload) => S,
    log: Log,
    tryAgainMs: number = TRY_AGAIN_MS,
  ) {
    this.#directory = directory;
    this.#make = make;
    this.#log = log;
    this.#tryAgainMs = tryAgainMs;
  }

  get served(): readonly S[] {
    return [...this.#served.values()].map(({ served }) => served);
  }

  /** Why a file, or the workload in it, is not served, a sentence each. */
  get faults(): readonly string[] {
    return [...this.#files.faults, ...this.#faults.values()];
  }

  /** Begins to serve what is new in the directory, and ends what is gone or says something else. */
  look(): void {
    if (this.#stopped) return;
    const files = readDirectory(this.#directory, this.#files);
    for (const message of files.faults) if (!this.#files.faults.includes(message)) this.#log.error(message);
    this.#files = files;
    const all = [...files.workloads.values()];
    for (const [key, { workload, text }] of this.#served) {
      const now = files.workloads.get(key);
      if (now?.text === text) continue;
      // One that was renamed has its network under another key.
      this.#drop(
        key,
        now?.workload ?? all.find((one) => one.workload.network === workload.network)?.workload,
      );
    }
    for (const [key, { workload, text }] of files.workloads)
      if (!this.#served.has(key) && !this.#isLeaving(key, workload)) this.#serve(workload, text);
  }

  /** Resolves when all that the directory holds now is served, or has failed. */
  async settled(): Promise<void> {
    this.look();
    while (this.#leaving.size > 0) await this.#left();
    await Promise.all([...this.#served.values()].map(async ({ work }) => work));
  }

  /** Ends them all; nothing is served from now on, though another proxy may. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const [key, { workload }] of [...this.#served]) this.#drop(key, workload);
    await this.#left();
  }

  async #left(): Promise<void> {
    await Promise.all([...this.#leaving.values()].map(async ({ left }) => left));
  }

  #isLeaving(key: string, { network }: NodeWorkload): boolean {
    return this.#leaving.has(key) || [...this.#leaving.values()].some((one) => one.network === network);
  }

  #serve(workload: NodeWorkload, text: string): void {
    const key = keyOf(workload);
    const served = this.#make(workload);
    const isThis = (): boolean => this.#served.get(key)?.served === served;
    const work = served.start().then(
      () => void (isThis() && this.#faults.delete(key)),
      (error: unknown) => {
        if (!isThis()) return; // it was taken away meanwhile
        const message = error instanceof Error ? error.message : String(error);
        this.#faults.set(key, `${key}: ${message}`);
        this.#log.error(`${key} is not served, and tried again: ${message}`);
        setTimeout(() => {
          if (isThis()) this.#served.delete(key);
          this.look();
        }, this.#tryAgainMs).unref();
      },
    );
    this.#served.set(key, { workload, served, text, work });
  }

  #drop(key: string, next: NodeWorkload | undefined): void {
    const entry = this.#served.get(key) as Entry<S>;
    this.#served.delete(key);
    this.#faults.delete(key);
    const left = entry.served
      .stop(next)
      .catch((error: unknown) => this.#log.error(`${key} did not leave whole: ${String(error)}`))
      .then(() => {
        this.#leaving.delete(key);
        this.look();
      });
    this.#leaving.set(key, { network: entry.workload.network, left });
  }
}
