import type { Running } from '@tulle/processes';

/** What a call came to. */
export interface Answer {
  /** gRPC's name of the status. */
  readonly code: string;
  readonly details?: string;
  /** Who answered. */
  readonly server?: string;
  /** How often it had been tried before. */
  readonly attempts?: number;
  /** The caller's identity as the server saw it: `URI:spiffe://…`. */
  readonly caller?: string;
  readonly ms: number;
}

/** A call, or several that are the same. */
export interface Call {
  readonly times?: number;
  /** Of calls that are made together, each begins so long after the one before. Default 0. */
  readonly staggerMs?: number;
  /** Default `say`. */
  readonly method?: 'say' | 'secret';
  readonly request?: {
    /** The server fails so many attempts. */
    readonly failures?: number;
    readonly status?: string;
    /** Only the server of this name does. */
    readonly at?: string;
    readonly delayMs?: number;
  };
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Calls one after the other until they are stopped. */
export interface Counts {
  readonly calls: number;
  readonly failed: readonly string[];
  readonly servers: Readonly<Record<string, number>>;
  readonly lastServer?: string;
}

/** A resource as the program's own status service tells of it (CSDS). */
export interface HeldResource {
  readonly type: string;
  readonly name: string;
  readonly status: string;
}

/** A program that calls. */
export interface ProxylessClient {
  /** One after the other. */
  call(call?: Call): Promise<readonly Answer[]>;
  /** All at once. */
  together(call: Call): Promise<readonly Answer[]>;
  soak(everyMs: number): Promise<void>;
  counts(): Promise<Counts>;
  stop(): Promise<Counts>;
  csds(): Promise<readonly HeldResource[]>;
}

/** Speaks with a client program, a line a command. */
export function proxylessClient(program: Running): ProxylessClient {
  let asked = 0;
  let before: Promise<unknown> = Promise.resolve();
  /** One command at a time. */
  const ask = <T>(command: string, options: object = {}): Promise<T> => {
    const answered = before.then(async () => {
      const id = ++asked;
      program.write(`${JSON.stringify({ id, command, ...options })}\n`);
      const [, line = ''] = await program.said(new RegExp(`^\\{"id":${id},"answer":(.*)\\}$`, 'm'), 60_000);
      return JSON.parse(line) as T;
    });
    before = answered.catch(() => undefined);
    return answered;
  };
  return {
    call: (call = {}) => ask('call', call),
    together: (call) => ask('together', call),
    soak: async (everyMs) => void (await ask('soak', { everyMs })),
    counts: () => ask('counts'),
    stop: () => ask('stop'),
    csds: () => ask('csds'),
  };
}
