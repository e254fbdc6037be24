import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CAPABILITIES, describeCapabilities, PROFILES, type Capability } from '../src/index.ts';

interface Footprint {
  readonly packages: readonly string[];
  readonly metricsPage: number;
  readonly heapUsed: number;
}

/** Packages that a capability alone brings. */
const BRINGS: Readonly<Record<Capability, readonly string[]>> = {
  retries: [], // its filter is there for routes that ask for it
  auth: ['jwt', 'ext-authz', 'ip-allow'],
  limits: ['ratelimit'],
  traffic: ['fault', 'cors', 'grpc-web', 'headers', 'compression'],
  metrics: ['prometheus'],
  'access-log': ['access-log'],
  tracing: ['otlp', '@opentelemetry/sdk-trace-base'],
};

describe('a sidecar’s engine', () => {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ef-'));
  });
  afterEach(async () => rm(dir, { recursive: true }));

  const footprint = async (capabilities: readonly Capability[]): Promise<Footprint> => {
    const script = join(import.meta.dirname, 'engine-footprint.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--expose-gc', script, dir],
      ...capabilities,
    ]);
    return JSON.parse(stdout) as Footprint;
  };

  const expectExactly = ({ packages, metricsPage }: Footprint, capabilities: readonly Capability[]): void => {
    expect(packages).toEqual(expect.arrayContaining(['core', 'authz', 'retry']));
    for (const capability of CAPABILITIES)
      for (const name of BRINGS[capability])
        expect([name, packages.includes(name)]).toEqual([name, capabilities.includes(capability)]);
    expect(metricsPage).toBe(capabilities.includes('metrics') ? 200 : 404);
  };

  it('loads what a profile needs and nothing of what is off, and has a heap that is smaller for it', async () => {
    const heaps: number[] = [];
    for (const capabilities of Object.values(PROFILES)) {
      const one = await footprint(capabilities);
      expectExactly(one, capabilities);
      heaps.push(one.heapUsed);
    }
    const [identity = 0, observe = 0, full = 0] = heaps;
    // What exporters and their tables take, whatever the machine.
    expect(full - identity).toBeGreaterThan(1_000_000);
    expect(observe).toBeGreaterThan(identity);
    expect(full).toBeGreaterThan(observe);
  }, 60_000);

  it.runIf(process.env['TULLE_NIGHTLY'] === '1').each(CAPABILITIES)(
    'with %s alone loads nothing of the others',
    async (capability) => {
      expectExactly(await footprint([capability]), [capability]);
    },
    60_000,
  );
});

it('what is on is said by the nearest profile', () => {
  expect(describeCapabilities(PROFILES.full)).toBe('full');
  expect(describeCapabilities([])).toBe('identity');
  expect(describeCapabilities(['metrics'])).toBe('identity+metrics');
  expect(describeCapabilities(CAPABILITIES.filter((one) => one !== 'tracing'))).toBe('full-tracing');
  expect(describeCapabilities([...PROFILES.observe, 'limits'])).toBe('observe+limits');
});
