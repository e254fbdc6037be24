// The load generator: one process, raw sockets, one request under way a connection. Driven over IPC, so that it is
// started once and measured many times.
import net from 'node:net';

interface Round {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
}
interface Result {
  readonly requests: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seconds: number;
}

const request = Buffer.from(
  [
    'GET /items/42?color=blue HTTP/1.1',
    'Host: shop.example',
    'User-Agent: bench/1.0',
    'Accept: application/json',
    'Accept-Encoding: identity',
    'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00',
    'X-Request-Id: 5f2c1f0e-9c1d-4d6e-8f57-0f6c2d3b4a59',
    'Cookie: session=0123456789abcdef',
    '',
    '',
  ].join('\r\n'),
);

process.on('message', (round: Round) => {
  void run(round).then((result) => process.send?.(result));
});

function run({ port, connections, durationMs }: Round): Promise<Result> {
  return new Promise((resolve) => {
    const latencies: number[] = [];
    let errors = 0;
    let open = connections;
    const started = performance.now();
    const endAt = started + durationMs;
    const ended = (): void => {
      if (--open > 0) return;
      latencies.sort((a, b) => a - b);
      const at = (share: number): number =>
        latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
      resolve({
        requests: latencies.length,
        errors,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        seconds: (performance.now() - started) / 1000,
      });
    };
    for (let i = 0; i < connections; i++)
      connect(
        port,
        endAt,
        latencies,
        () => {
          errors++;
        },
        ended,
      );
  });
}

function connect(
  port: number,
  endAt: number,
  latencies: number[],
  failed: () => void,
  ended: () => void,
): void {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  let begun = 0;
  let left = -1;
  let head = '';
  let done = false;
  const finish = (): void => {
    if (!done) {
      done = true;
      socket.destroy();
      ended();
    }
  };
  const next = (): void => {
    if (performance.now() >= endAt) {
      finish();
      return;
    }
    begun = performance.now();
    socket.write(request);
  };
  socket.on('connect', next);
  socket.on('error', () => {
    failed();
    finish();
  });
  socket.on('close', () => {
    if (!done) {
      failed();
      finish();
    }
  });
  socket.on('data', (piece: Buffer) => {
    let bytes = piece.length;
    if (left < 0) {
      head += piece.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!head.startsWith('HTTP/1.1 200')) {
        failed();
        finish();
        return;
      }
      const length = /\r\ncontent-length: (\d+)/i.exec(head);
      if (length === null) {
        failed();
        finish();
        return;
      }
      left = Number(length[1]);
      bytes = head.length - end - 4;
      head = '';
    }
    left -= bytes;
    if (left > 0) return;
    left = -1;
    latencies.push(performance.now() - begun);
    next();
  });
}
