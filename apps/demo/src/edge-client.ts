import https from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';

/** The host of the shop for the world. */
export const EDGE_HOST = 'shop.example.com';

/** What came back over TLS. */
export interface EdgeAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** Calls the gateway as the world does: over TLS, by its name, believing its certificate and no other. */
export interface EdgeClient {
  ask(
    path: string,
    options?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<EdgeAnswer>;
  close(): void;
}

export function edgeClient(port: number, ca: string): EdgeClient {
  const agent = new https.Agent({ keepAlive: true, ca, servername: EDGE_HOST });
  return {
    ask: async (path, { method = 'GET', headers = {} } = {}) =>
      new Promise((resolve, reject) => {
        const asked = https.request(
          {
            host: '127.0.0.1',
            port,
            path,
            method,
            agent,
            headers: { host: EDGE_HOST, ...headers },
            timeout: 30_000,
          },
          (answer) => {
            let body = '';
            answer.setEncoding('utf8').on('data', (piece: string) => (body += piece));
            answer.on('error', reject);
            answer.on('end', () =>
              resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }),
            );
          },
        );
        asked.on('timeout', () => asked.destroy(new Error('no answer within 30 s')));
        asked.on('error', reject);
        asked.end();
      }),
    close: () => agent.destroy(),
  };
}
