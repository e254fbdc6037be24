import http from 'node:http';
import { Duplex } from 'node:stream';

/** What Node's own strict parser makes of bytes that arrived on one connection. */
export interface NodeVerdict {
  readonly requests: readonly { readonly method: string; readonly target: string; readonly body: string }[];
  readonly error: string | undefined;
}

/** A connection that has received `bytes`, and then nothing more. */
class Fed extends Duplex {
  constructor(bytes: Buffer) {
    super();
    this.push(bytes);
  }
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
}

/** Feeds the recorded bytes of a connection to `node:http` with `insecureHTTPParser: false`, in memory. */
export async function judgeByNode(bytes: Buffer): Promise<NodeVerdict> {
  const requests: { method: string; target: string; body: string }[] = [];
  let error: string | undefined;
  let open = 0;
  const server = http.createServer(
    { insecureHTTPParser: false, requireHostHeader: true, maxHeaderSize: 1 << 20, keepAliveTimeout: 0 },
    (request, response) => {
      const seen = { method: request.method ?? '', target: request.url ?? '', body: '' };
      requests.push(seen);
      open++;
      request.setEncoding('latin1');
      request.on('data', (text: string) => (seen.body += text));
      request.on('end', () => {
        open--;
        response.end();
      });
      request.on('error', () => {});
    },
  );
  server.maxHeadersCount = 0;
  const socket = new Fed(bytes);
  server.on('clientError', (fault: Error & { code?: string }) => (error ??= fault.code ?? fault.message));
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  server.emit('connection', socket);
  // everything happens in memory: a few idle turns in a row mean that nothing more will
  for (let idle = 0, before = -1; idle < 8 && error === undefined;) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = requests.length * 1e9 + requests.reduce((sum, { body }) => sum + body.length, 0) - open;
    idle = now === before ? idle + 1 : 0;
    before = now;
  }
  socket.destroy();
  if (error === undefined && open > 0) error = 'a body is not whole';
  return { requests, error };
}
