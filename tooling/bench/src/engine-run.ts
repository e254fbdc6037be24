// The engine without a kernel: its own share of a request, which no other process on the machine can move much. Sockets
// are objects that hand bytes over at once; everything else is what the benchmark's Tulle has.
import type { Address } from '@tulle/model';
import type { ListenOwner, Listening, Socket, SocketEvents, Transport } from '@tulle/proxy';
import type { ConnFilterUse, HttpFilterUse } from '@tulle/filter';
import { benchProxy, type Observed } from './bench-proxy.ts';
import { median } from './stats.ts';

/** What a run is told. */
export interface EngineRun {
  readonly mesh: boolean;
  readonly observed?: Observed;
  readonly accessLogFile: string;
  readonly connections: number;
  readonly requests: number;
  /** Header lines more, each with its line end. Default none. */
  readonly moreHeaders?: string;
}

/** What a run measured. */
export interface EngineResult {
  readonly userUs: number;
  readonly systemUs: number;
  readonly bytesPerRequest: number;
}

const NO_EVENTS: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };
const REQUEST_HEAD: string =
  'GET /items/42?color=blue HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n' +
  'Accept-Encoding: identity\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n' +
  'X-Request-Id: 5f2c1f0e-9c1d-4d6e-8f57-0f6c2d3b4a59\r\nCookie: session=0123456789abcdef\r\n';
const RESPONSE: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n${'x'.repeat(64)}`,
  'latin1',
);
/** As the sockets' shared buffer: what is read stands in it until the next read. */
const READ: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

class InstantSocket implements Socket {
  events: SocketEvents = NO_EVENTS;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort: number;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 8080;
  readonly tls = undefined;
  readonly queuedBytes = 0;
  readonly unsentBytes = 0;
  readonly ownedReads = false;
  /** Bytes written since it was looked at last. */
  written = 0;
  /** What was written since it was set, where it is. */
  said: string | undefined;

  constructor(port: number) {
    this.remotePort = port;
  }

  write(bytes: Buffer): 0 {
    this.written += bytes.length;
    if (this.said !== undefined) this.said += bytes.toString('latin1');
    return 0;
  }

  deliver(message: Buffer): void {
    message.copy(READ);
    this.events.onRead(READ, 0, message.length);
  }

  cork(): void {}
  uncork(): void {}
  end(): void {}
  destroy(): void {
    this.events.onClose(undefined);
  }
  pause(): void {}
  resume(): void {}
  keepRead(): void {}
  setOwnedReads(): void {}
}

const upstream: InstantSocket[] = [];
let owner: ListenOwner | undefined;

const transport: Transport = {
  listen(address: Address, listenOwner: ListenOwner): Promise<Listening> {
    owner = listenOwner;
    return Promise.resolve({ address, close: () => Promise.resolve() });
  },
  connect(): Socket {
    const socket = new InstantSocket(40_000 + upstream.length);
    upstream.push(socket);
    queueMicrotask(() => socket.events.onOpen());
    return socket;
  },
  secure: (socket) => socket,
  serverTls: () => ({ close() {} }),
  clientTls: () => ({ close() {} }),
  resolve: (host) => Promise.resolve([host]),
  sha1: () => Buffer.alloc(20),
  certificates: () => [],
  close: () => Promise.resolve(),
};

/** Every endpoint that was written to answers. @returns whether there was one */
function answer(): boolean {
  let any = false;
  for (const socket of upstream) {
    if (socket.written === 0) continue;
    socket.written = 0;
    socket.deliver(RESPONSE);
    any = true;
  }
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
  const request = Buffer.from(`${REQUEST_HEAD}${setup.moreHeaders ?? ''}\r\n`, 'latin1');
  const proxy = benchProxy(
    { ...setup, listenPort: 8080, originPort: 9000, tls: null, filters },
    { transport },
  );
  await proxy.start();
  const callers = Array.from({ length: setup.connections }, (_, i) => new InstantSocket(50_000 + i));
  for (const caller of callers) (owner as ListenOwner).accept(caller);

  /** One request on every connection; then every endpoint answers. Timers and the log's writes get their turns. */
  const run = async (requests: number): Promise<void> => {
    for (let done = 0; done < requests; done += setup.connections) {
      for (const caller of callers) caller.deliver(request);
      answer();
      await turn();
      // A filter that asks somebody first sends the request on later.
      while (answer()) await turn();
    }
  };

  // The first requests wait until their connections are open.
  for (const caller of callers) caller.deliver(request);
  for (let i = 0; i < 10; i++) {
    await turn();
    answer();
  }
  await run(setup.requests / 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const cpu = process.cpuUsage();
  await run(setup.requests);
  const used = process.cpuUsage(cpu);
  // Allocation apart: the median of short stretches, since in some of them a collection runs.
  const stretches: number[] = [];
  for (let i = 0; i < 31; i++) {
    const before = process.memoryUsage().heapUsed;
    await run(setup.connections * 32);
    stretches.push((process.memoryUsage().heapUsed - before) / (setup.connections * 32));
  }
  for (const caller of callers) {
    caller.written = 0;
    caller.said = '';
    caller.deliver(request);
  }
  for (let i = 0; i < 4; i++) {
    answer();
    await turn();
  }
  for (const { said = '' } of callers)
    if (!said.startsWith('HTTP/1.1 200 '))
      throw new Error(`a caller was answered ${JSON.stringify(said.slice(0, 200))}`);
  return {
    userUs: used.user / setup.requests,
    systemUs: used.system / setup.requests,
    bytesPerRequest: median(stretches),
  };
}
