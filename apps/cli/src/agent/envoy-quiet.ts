import { request } from 'node:http';
import { isUnixAddress, type Address } from '@tulle/model';

/** So long nothing may be under way: that callers were told takes some 50 ms, on a busy machine some 150. */
const QUIET_MS = 250;
const LOOK_EVERY_MS = 25;

/**
 * Resolves when an Envoy had no request under way for a quarter of a second, at most after `limitMs`; at once when it cannot be
 * asked.
 */
export async function untilEnvoyQuiet(admin: Address, limitMs: number): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  let quietSinceMs = performance.now();
  while (performance.now() < deadlineMs) {
    const active = await activeRequests(admin).catch(() => undefined);
    if (active === undefined) return;
    const nowMs = performance.now();
    if (active > 0) quietSinceMs = nowMs;
    else if (nowMs - quietSinceMs >= QUIET_MS) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Sum over its connection managers, its admin interface's own left out. */
async function activeRequests(admin: Address): Promise<number> {
  const text = await page(admin, '/stats?filter=^http\\..*\\.downstream_rq_active$');
  let sum = 0;
  for (const [, prefix, value] of text.matchAll(/^http\.(.*)\.downstream_rq_active: (\d+)$/gm))
    if (prefix !== 'admin') sum += Number(value);
  return sum;
}

async function page(admin: Address, path: string): Promise<string> {
  const to = isUnixAddress(admin) ? { socketPath: admin.path } : { host: admin.host, port: admin.port };
  return new Promise((resolve, reject) => {
    const asked = request({ ...to, path, agent: false, timeout: 1_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
    asked.end();
  });
}
