// Not imported: an import makes every export of the module, WebSocket too, and with it a whole HTTP client: 13 MiB.
const { request } = process.getBuiltinModule('node:http');

/** For one page of an engine process: a scraper's own patience is some 10 s. */
export const PAGE_TIMEOUT_MS = 5_000;

/** Asks the admin interface of an engine process. @throws Error when it does not answer in time */
export function askProcess(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, method, agent: false, timeout: PAGE_TIMEOUT_MS }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (text: string) => (body += text));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 502, body }));
      reply.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error(`no answer within ${PAGE_TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end();
  });
}
