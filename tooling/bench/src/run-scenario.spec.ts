import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from './find-program.ts';
import { makePki, type Pki } from './pki.ts';
import { runScenario } from './run-scenario.ts';
import { scenarios, type Scenario } from './scenarios.ts';
import { subjects, type Subject } from './subjects/index.ts';

const options = { rounds: 1, roundMs: 150, warmUpMs: 100, profileDirectory: undefined };
const scenario = (name: string): Scenario => scenarios.find((one) => one.name === name) as Scenario;
const subject = (name: string, variant: string): Subject =>
  subjects.find((one) => one.name === name && one.variant === variant) as Subject;

// Real processes: an origin, a client, proxies that are started as programs.
describe.skipIf(process.platform !== 'linux' || findProgram('taskset') === undefined)('a scenario', () => {
  let directory = '';
  let pki: Pki;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tulle-bench-test-'));
    pki = await makePki(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it(
    'keeps the figures of others when a subject does not start, or answers wrongly',
    { timeout: 60_000 },
    async () => {
      const good = subject('tulle', 'bare');
      const broken: Subject = {
        ...good,
        name: 'broken',
        start: ({ spawn }) => {
          const { pid } = spawn(process.execPath, ['-e', 'throw new Error("no such thing")']);
          return { pids: () => [pid] };
        },
      };
      const wrong: Subject = {
        ...good,
        name: 'wrong',
        start({ spawn, hop }) {
          const { pid } = spawn(process.execPath, [
            '-e',
            `require('node:http').createServer((q, s) => s.writeHead(500).end()).listen(${hop.listenPort}, '127.0.0.1')`,
          ]);
          return { pids: () => [pid] };
        },
      };
      const found = await runScenario(
        scenario('http1-small'),
        [broken, good, wrong],
        options,
        pki,
        directory,
        () => {},
      );
      expect(found.rows.map((row) => row.subject)).toEqual(['tulle']);
      expect(found.rows[0]?.cpuUsPerRequest).toBeGreaterThan(0);
      expect(
        found.failures.map(({ subject: name, error }) => [name, error.split('\n').slice(0, 2).join(' ')]),
      ).toEqual([
        ['broken', expect.stringContaining('it ended; its output: Error: no such thing')],
        ['wrong', expect.stringContaining('first: a response that was not wanted: HTTP/1.1 500')],
      ]);
    },
  );

  it.each(['grpc-stream', 'sidecar-pair', 'tls-handshake', 'clusters-1000'])(
    'sends %s through Tulle with the mesh set',
    { timeout: 60_000 },
    async (name) => {
      const found = await runScenario(
        scenario(name),
        [subject('tulle', 'mesh')],
        options,
        pki,
        directory,
        () => {},
      );
      expect(found.failures).toEqual([]);
      expect(found.rows[0]?.requestsPerSecond).toBeGreaterThan(0);
    },
  );
});
