import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilEnvoyQuiet } from './envoy-quiet.ts';

let admin: Server;
/** Requests under way as Envoy tells it, one for each question; the last from then on. */
let active: number[];
let asked: string[];

beforeEach(async () => {
  active = [0];
  asked = [];
  admin = createServer((request, response) => {
    asked.push(request.url ?? '');
    const now = active.length > 1 ? active.shift() : active[0];
    response.end(
      `http.admin.downstream_rq_active: 1\nhttp.inbound_127.0.0.1_15006.downstream_rq_active: ${now}\n`,
    );
  }).listen(0, '127.0.0.1');
  await once(admin, 'listening');
});
afterEach(() => admin.close());
const address = (): { host: string; port: number } => ({
  host: '127.0.0.1',
  port: (admin.address() as { port: number }).port,
});

describe('the wait until an Envoy is quiet', () => {
  it('ends a while after its last request, of which those of its admin interface are none', async () => {
    active = [3, 1, 1, 0];
    const startedMs = performance.now();
    await untilEnvoyQuiet(address(), 60_000);
    expect(performance.now() - startedMs).toBeGreaterThan(250);
    expect(asked.length).toBeGreaterThan(4);
    expect(asked[0]).toContain('downstream_rq_active');
  });

  it('ends in time where it never is, and at once where it cannot be asked', async () => {
    active = [7];
    const startedMs = performance.now();
    await untilEnvoyQuiet(address(), 300);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(299);
    const gone = address();
    await new Promise((resolve) => admin.close(resolve));
    const goneMs = performance.now();
    await untilEnvoyQuiet(gone, 60_000);
    expect(performance.now() - goneMs).toBeLessThan(30_000);
  });
});
