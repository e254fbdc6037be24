import { Agent, request } from 'node:http';

/** A call through a proxy of the caller. */
export interface Call {
  /** Local port of the service at the caller's proxy. */
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came of a call. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Calls as it is: nothing of the path is made plain on the way. */
export async function ask(
  { port, path, method = 'GET', headers = {} }: Call,
  agent?: Agent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, method, headers, agent: agent ?? false, timeout: 10_000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')));
    asked.on('error', reject);
    asked.end();
  });
}

/** Calls that come all the time. */
export interface Load {
  /** Answered with 200 so far. */
  readonly ok: number;
  /** The others, the first hundred, in words. */
  readonly failed: readonly string[];
  /** Resolves when every one that was under way has ended. */
  stop(): Promise<void>;
}

/**
 * Calls from each of several callers, one after the other on kept-alive connections, as many at once as is said; every tenth
 * over a connection of its own.
 */
export function startLoad(
  calls: readonly (Call & { readonly name: string })[],
  perCall: number,
  pauseMs: number,
): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const failed: string[] = [];
  let ok = 0;
  let running = true;
  const loop = async (call: Call & { readonly name: string }): Promise<void> => {
    for (let i = 0; running; i++) {
      const startedMs = Date.now();
      try {
        const { status, body } = await ask(call, i % 10 === 0 ? undefined : agent);
        if (status === 200) ok++;
        else if (failed.length < 100)
          failed.push(
            `${call.name} at ${new Date(startedMs).toISOString()}: ${status} ${body.slice(0, 200)}`,
          );
      } catch (error) {
        if (failed.length < 100)
          failed.push(
            `${call.name} at ${new Date(startedMs).toISOString()}: ${error instanceof Error ? error.message : String(error)}`,
          );
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const loops = calls.flatMap((call) => Array.from({ length: perCall }, () => loop(call)));
  return {
    get ok() {
      return ok;
    },
    failed,
    async stop() {
      running = false;
      await Promise.all(loops);
      agent.destroy();
    },
  };
}
