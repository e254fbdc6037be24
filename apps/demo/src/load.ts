import http from 'node:http';

/** What one run of the load generator saw. */
export interface LoadResult {
  readonly requests: number;
  /** Requests that ended without a response. */
  readonly failed: number;
  /** Of those, the ones whose response had begun. */
  readonly cutOff: number;
  /** What the first failures said, and the first answers that were not asked for, for the report. */
  readonly failures: readonly string[];
  readonly statuses: ReadonlyMap<number, number>;
  /** What `classify` made of the answers. */
  readonly classes: ReadonlyMap<string, number>;
  readonly durationMs: number;
  /** Milliseconds, ascending. */
  readonly latenciesMs: Float64Array;
}

/** One request of a run. */
export interface LoadRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** How to load. */
export interface LoadOptions {
  readonly port: number;
  /** Stops after so many requests. */
  readonly requests?: number;
  /** Stops when aborted; requests under way are finished. */
  readonly signal?: AbortSignal;
  /** Requests under way at a time. Default 16. */
  readonly concurrency?: number;
  /** Pause of a worker between two requests, so that a run of a given time stays bounded. Default 0. */
  readonly pauseMs?: number;
  /** New connection for each request. Default false. */
  readonly closeEach?: boolean;
  request(index: number): LoadRequest;
  /** Sorts an answer into a class. */
  classify?(status: number, body: string, index: number): string;
  /** Called as requests end. */
  progress?(done: number): void;
}

/** Sends requests to 127.0.0.1 with a plain `node:http` client, as any service would. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const concurrency = options.concurrency ?? 16;
  const limit = options.requests ?? Number.POSITIVE_INFINITY;
  const agent = new http.Agent({ keepAlive: options.closeEach !== true, maxSockets: concurrency });
  const statuses = new Map<number, number>();
  const classes = new Map<string, number>();
  const latencies: number[] = [];
  const failures: string[] = [];
  let next = 0;
  let failed = 0;
  let cutOff = 0;
  const started = performance.now();

  const worker = async (): Promise<void> => {
    while (next < limit && options.signal?.aborted !== true) {
      const index = next++;
      const begun = performance.now();
      try {
        const { status, body } = await send(agent, options.port, options.request(index));
        latencies.push(performance.now() - begun);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status >= 500 && failures.length < 5) failures.push(`${status} ${body.slice(0, 200).trim()}`);
        const kind = options.classify?.(status, body, index);
        if (kind !== undefined) classes.set(kind, (classes.get(kind) ?? 0) + 1);
      } catch (error) {
        failed++;
        if (error instanceof CutOffError) cutOff++;
        if (failures.length < 5) failures.push((error as Error).message);
      }
      options.progress?.(latencies.length + failed);
      if (options.pauseMs !== undefined)
        await new Promise((resolve) => {
          setTimeout(resolve, options.pauseMs);
        });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  agent.destroy();
  return {
    requests: latencies.length + failed,
    failed,
    cutOff,
    failures,
    statuses,
    classes,
    durationMs: performance.now() - started,
    latenciesMs: Float64Array.from(latencies).sort(),
  };
}

/** The connection ended in the middle of a response. */
class CutOffError extends Error {}

/** One request, its answer whole. */
export function send(
  agent: http.Agent | undefined,
  port: number,
  what: LoadRequest,
): Promise<{ status: number; body: string; headers: http.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { ...what.headers };
    if (what.body !== undefined) headers['content-length'] = String(Buffer.byteLength(what.body));
    const request = http.request(
      {
        host: '127.0.0.1',
        port,
        method: what.method ?? 'GET',
        path: what.path,
        headers,
        timeout: 30_000,
        ...(agent === undefined ? { agent: false as const } : { agent }),
      },
      (response) => {
        let body = '';
        response.setEncoding('latin1');
        response.on('data', (piece: string) => {
          body += piece;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
        );
        response.on('error', (error) =>
          reject(new CutOffError(`the response was cut off: ${error.message}`)),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer within 30 s')));
    request.on('error', reject);
    request.end(what.body);
  });
}

/** The value below which `share` (0–1) of the sorted values lie. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
