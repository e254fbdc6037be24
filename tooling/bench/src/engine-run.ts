// The engine without a kernel: its own share of a request, which no other process on the machine can move much. Sockets
// are objects that hand bytes over at once; everything else is what the benchmark's Tulle has.
import type { Address } from '@tulle/model';
import type { ListenOwner, Listening, Socket, Transport } from '@tulle/proxy';
import type { ConnFilterUse, HttpFilterUse } from '@tulle/filter';
import { benchProxy, type Observed } from './bench-proxy.ts';
import { Http1Caller, Http1Origin } from './engine-http1.ts';
import { Http2Caller, Http2Origin, STREAMS } from './engine-http2.ts';
import { median } from './stats.ts';

/** What a run is told. */
export interface EngineRun {
  readonly mesh: boolean;
  readonly observed?: Observed;
  readonly accessLogFile: string;
  readonly connections: number;
  readonly requests: number;
  /** Both sides in HTTP/2, 16 streams a connection at a time. Default false. */
  readonly http2?: boolean;
  /** Header lines more, each with its line end; of HTTP/1.1 only. Default none. */
  readonly moreHeaders?: string;
}

/** What a run measured. */
export interface EngineResult {
  readonly userUs: number;
  readonly systemUs: number;
  readonly bytesPerRequest: number;
}

const upstream: (Http1Origin | Http2Origin)[] = [];
let http2 = false;
let owner: ListenOwner | undefined;

const transport: Transport = {
  listen(address: Address, listenOwner: ListenOwner): Promise<Listening> {
    owner = listenOwner;
    return Promise.resolve({ address, close: () => Promise.resolve() });
  },
  connect(): Socket {
    const port = 40_000 + upstream.length;
    const socket = http2 ? new Http2Origin(port) : new Http1Origin(port);
    upstream.push(socket);
    queueMicrotask(() => socket.events.onOpen());
    return socket;
  },
  secure: (socket) => socket,
  serverTls: () => ({ close() {} }),
  clientTls: () => ({ close() {} }),
  resolve: (host) => Promise.resolve({ addresses: [host] }),
  sha1: () => Buffer.alloc(20),
  certificates: () => [],
  close: () => Promise.resolve(),
};

/** Every endpoint that was asked answers. @returns whether there was one */
function answer(): boolean {
  let any = false;
  for (const socket of upstream) if (socket.answer()) any = true;
  return any;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Measures `setup.requests` requests after half as many. @param filters what the proxy has beside its set */
export async function runEngine(
  setup: EngineRun,
  filters: {
    readonly http?: readonly HttpFilterUse[];
    readonly connection?: readonly ConnFilterUse[];
  } = {},
): Promise<EngineResult> {
  http2 = setup.http2 ?? false;
  const proxy = benchProxy(
    { ...setup, listenPort: 8080, originPort: 9000, tls: null, filters },
    { transport },
  );
  await proxy.start();
  const callers = Array.from({ length: setup.connections }, (_, i) =>
    http2 ? new Http2Caller(50_000 + i) : new Http1Caller(50_000 + i, setup.moreHeaders ?? ''),
  );
  for (const caller of callers) (owner as ListenOwner).accept(caller);
  const atATime = callers.length * (http2 ? STREAMS : 1);

  /** Requests on every connection; then every endpoint answers. Timers and the log's writes get their turns. */
  const run = async (requests: number): Promise<void> => {
    for (let done = 0; done < requests; done += atATime) {
      for (const caller of callers) caller.ask();
      answer();
      await turn();
      // A filter that asks somebody first sends the request on later.
      while (answer()) await turn();
    }
  };

  // The first requests wait until their connections are open.
  for (const caller of callers) caller.begin();
  for (let i = 0; i < 10; i++) {
    await turn();
    answer();
  }
  const before = callers.reduce((sum, { answered }) => sum + answered, 0);
  if (before !== callers.length) throw new Error(`${before} of ${callers.length} callers were answered`);
  await run(setup.requests / 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const cpu = process.cpuUsage();
  await run(setup.requests);
  const used = process.cpuUsage(cpu);
  // Allocation apart: the median of short stretches, since in some of them a collection runs.
  const stretches: number[] = [];
  for (let i = 0; i < 31; i++) {
    const heapBefore = process.memoryUsage().heapUsed;
    await run(atATime * 32);
    stretches.push((process.memoryUsage().heapUsed - heapBefore) / (atATime * 32));
  }
  for (const caller of callers) caller.answered = 0;
  await run(atATime);
  const answered = callers.reduce((sum, caller) => sum + caller.answered, 0);
  const refused = callers.reduce((sum, caller) => sum + caller.refused, 0);
  if (answered !== atATime || refused > 0)
    throw new Error(`${answered} of ${atATime} requests were answered, ${refused} not with 200`);
  return {
    userUs: used.user / setup.requests,
    systemUs: used.system / setup.requests,
    bytesPerRequest: median(stretches),
  };
}
