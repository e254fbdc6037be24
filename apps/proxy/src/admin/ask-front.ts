const { request } = process.getBuiltinModule('node:http');

/** What Tulle's own admin interface said. */
export interface FrontReply {
  readonly status: number;
  readonly body: string;
}

/** A process that does not answer within this is stuck. */
const TIMEOUT_MS = 10_000;

/** Asks Tulle's own admin interface, which puts the answers of all engine processes together. */
export async function askFront(
  socketPath: string,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<FrontReply> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, method, agent: false, timeout: TIMEOUT_MS }, (reply) => {
      let body = '';
      reply.setEncoding('utf8');
      reply.on('data', (piece: string) => void (body += piece));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 502, body }));
      reply.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end();
  });
}

/** A page of JSON. @throws Error when it is not there */
export async function frontJson(
  socketPath: string,
  path: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await askFront(socketPath, path);
  if (status !== 200) throw new Error(`the engine answers ${status}: ${body.trim()}`);
  return JSON.parse(body) as Readonly<Record<string, unknown>>;
}

/** A list of it; empty where there is none. */
export function listOf<T>(page: Readonly<Record<string, unknown>>, name: string): readonly T[] {
  const list = page[name];
  return Array.isArray(list) ? (list as readonly T[]) : [];
}
