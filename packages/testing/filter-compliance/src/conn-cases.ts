import { seededRandom, testProxy, type Caller, type TestProxy } from '@tulle/testkit';
import { check, show } from './check.ts';
import { IDLE_HOST } from './idle-host.ts';
import { observeConn, type ConnObservations } from './observed-conn-filter.ts';
import { schemaCases } from './schema-cases.ts';
import type { ComplianceCase, ConnSubject } from './subject.ts';

const HOOKS: readonly string[] = ['connect', 'handshake', 'read', 'write', 'close', 'dispose'];

/** Callers of every sort: two families, a zone, an IPv4 address in IPv6 clothes, none at all (a Unix socket). */
const CALLERS: readonly Caller[] = [
  {},
  { host: '192.0.2.77', port: 1 },
  { host: '2001:db8::1' },
  { host: 'fe80::1%eth0' },
  { host: '::ffff:192.0.2.77' },
  { host: '' },
];
/** Bytes of a conversation over TCP; the service echoes. */
const TALK = ['hello', '\u0000\u0001\u00ff', 'x'.repeat(5_000)];

/** What came of one connection. */
interface Seen {
  /** What the caller got: a status over HTTP, bytes over TCP, `closed` when it was refused. */
  readonly answers: readonly string[];
  readonly seen: ConnObservations;
  readonly test: TestProxy;
}

/** What a connection filter has to be and to do: in front of HTTP, and in a TCP chain, where it sees bytes. */
export function connCases(subject: ConnSubject): readonly ComplianceCase[] {
  const { filter, validConfigs, waitingConfigs = [] } = subject;
  const { definition } = filter;
  const everyConfig = [...validConfigs, ...waitingConfigs];
  const callers = [...(subject.callers ?? []), ...CALLERS];
  const run = (config: unknown, who: readonly Caller[] = callers): Promise<Seen> =>
    connections(subject, config, who);

  return [
    ...schemaCases(subject),
    {
      name: 'its hooks are those of the contract',
      async run() {
        for (const config of everyConfig) {
          const parsed = definition.config['~standard'].validate(config);
          check(parsed.issues === undefined, () => `${show(config)} was refused`);
          const hooks = await definition.create(IDLE_HOST, parsed.value);
          const unknown = Object.keys(hooks).filter((name) => !HOOKS.includes(name));
          check(
            unknown.length === 0,
            () => `there are no hooks named ${unknown.join(', ')}; the contract has ${HOOKS.join(', ')}`,
          );
          await hooks.dispose?.();
        }
      },
    },
    {
      name: 'it does something under each valid configuration, and its hooks never throw on odd connections',
      async run() {
        for (const config of everyConfig) {
          const { seen, test } = await run(config);
          checkHealthy(test, config);
          check(
            seen.calls.some((name) => name !== 'close'),
            () => `under ${show(config)} no hook was called by any of ${callers.length} connections`,
          );
        }
      },
    },
    {
      name: 'it is created and disposed as often, and keeps no timer of a disposed instance',
      async run() {
        for (const config of everyConfig) {
          const { seen, test } = await run(config);
          check(
            seen.created === seen.disposed,
            () => `${seen.created} instances were created and ${seen.disposed} disposed`,
          );
          await test.clock.advance(3_600_000);
          checkHealthy(test, config);
        }
      },
    },
    {
      name: 'bytes that it lets pass are those that came, however they are cut',
      async run() {
        for (const config of everyConfig) {
          const { answers } = await run(config);
          const whole = TALK.join('');
          const wrong = answers.find(
            (answer) => answer.startsWith('bytes ') && !whole.startsWith(answer.slice('bytes '.length)),
          );
          check(wrong === undefined, () => `under ${show(config)} a caller got ${show(wrong)} back`);
        }
      },
    },
    {
      name: 'it answers synchronously where it need not wait',
      async run() {
        for (const config of validConfigs) {
          const { seen } = await run(config);
          check(
            seen.promises.length === 0,
            () =>
              `${[...new Set(seen.promises)].join(', ')} returned a promise under ${show(config)}; return the plain verdict, or list the configuration in waitingConfigs`,
          );
        }
      },
    },
    {
      name: 'with time and chance given, two instances do the same: no state is shared, no clock or chance of its own',
      async run() {
        for (const config of everyConfig) {
          const globals = Object.getOwnPropertyNames(globalThis).length;
          const [first, second] = [summary(await run(config)), summary(await run(config))];
          check(
            first === second,
            () => `under ${show(config)} the first instance did ${first}, the second ${second}`,
          );
          check(
            Object.getOwnPropertyNames(globalThis).length === globals,
            () => 'it added a property to the global object',
          );
        }
      },
    },
    {
      name: 'per-connection state is as new after its reset',
      async run() {
        for (const config of everyConfig) {
          const { seen } = await run(config);
          check(
            seen.dirtyStates.length === 0,
            () => `after reset a state was still ${seen.dirtyStates.join('; ')}`,
          );
        }
      },
    },
    {
      name: 'with effects none, an earlier connection changes nothing for a later one',
      async run() {
        if (definition.effects !== 'none') return;
        for (const config of validConfigs) {
          for (const caller of callers) {
            const { answers, seen } = await run(config, [caller, caller, caller]);
            const [http, tcp] = [0, 1].map((kind) => answers.filter((_, index) => index % 2 === kind));
            check(
              new Set(http).size === 1 && new Set(tcp).size === 1,
              () => `the same caller got ${answers.join(', ')} under ${show(config)}; declare effects local`,
            );
            check(seen.timers === 0, () => 'it used a timer; declare effects local');
          }
        }
      },
    },
    {
      name: 'it calls somebody else only with effects external',
      async run() {
        if (definition.effects === 'external') return;
        for (const config of everyConfig) {
          const { seen } = await run(config);
          check(
            seen.fetches === 0,
            () => `under ${show(config)} it made ${seen.fetches} calls; declare effects external`,
          );
        }
      },
    },
  ];
}

/** Each caller connects twice: to an HTTP listener, and to a TCP chain of which the filter sees the bytes. */
async function connections(subject: ConnSubject, config: unknown, callers: readonly Caller[]): Promise<Seen> {
  const { filter, seen } = observeConn(subject.filter);
  const use = filter(config, { name: 'subject' });
  const test = await testProxy({
    random: seededRandom(7),
    listeners: [
      {
        name: 'http',
        address: { host: '127.0.0.1', port: 8080 },
        connectionFilters: [use],
        filterChains: [
          {
            name: 'http',
            handler: {
              kind: 'http',
              filters: [],
              routes: {
                name: 'all',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      {
                        name: 'all',
                        match: { path: { kind: 'prefix', value: '/' } },
                        action: { kind: 'direct', status: 204 },
                      },
                    ],
                  },
                ],
              },
            },
          },
        ],
      },
      {
        name: 'tcp',
        address: { host: '127.0.0.1', port: 9090 },
        filterChains: [
          { name: 'tcp', handler: { kind: 'tcp', clusters: [{ name: 'echo' }], filters: [use] } },
        ],
      },
    ],
    clusters: [
      {
        name: 'echo',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 7 } }] },
      },
    ],
    ...(subject.services === undefined ? {} : { upstreams: subject.services }),
  });
  test.network.listen('10.0.0.1:7', (connection) => {
    connection.onBytes = () => {
      if (connection.received !== '') connection.send(connection.received);
      connection.received = '';
      if (connection.ended) connection.end();
    };
  });
  const answers: string[] = [];
  try {
    for (const [index, caller] of callers.entries()) {
      answers.push(await overHttp(test, caller), await overTcp(test, caller, index % 2 === 0 ? 1_000 : 7));
    }
  } finally {
    await test.stop();
  }
  await test.clock.settle();
  return { answers, seen, test };
}

/** Time that a filter may take for one connection. */
const PATIENCE_MS = 60_000;

async function overHttp(test: TestProxy, { tls: _tls, ...caller }: Caller): Promise<string> {
  const client = test.client({ ...caller, listener: 'http' });
  const answer = client.request().then(
    ({ status }) => `status ${status}`,
    () => 'closed',
  );
  await test.clock.advance(PATIENCE_MS);
  client.connection.close();
  return answer;
}

async function overTcp(test: TestProxy, { tls: _tls, ...caller }: Caller, chunk: number): Promise<string> {
  const connection = test.connect({ ...caller, listener: 'tcp' });
  connection.chunk(chunk);
  for (const bytes of TALK) connection.send(bytes);
  connection.end();
  await test.clock.advance(PATIENCE_MS);
  const { received } = connection;
  connection.close();
  await test.clock.settle();
  return received === '' ? 'closed' : `bytes ${received}`;
}

/** No hook failed, nothing was logged as an error. */
function checkHealthy(test: TestProxy, config: unknown): void {
  const errors = test.log.lines.filter((line) => line.level === 'error');
  check(
    errors.length === 0,
    () =>
      `under ${show(config)} the log has ${show(errors.map((line) => [line.message, line.fields['stack']]))}`,
  );
  check(test.meter.value('tulle_filter_errors_total') === 0, () => `under ${show(config)} a hook failed`);
}

/** What a run came to, without what differs by nature. */
function summary({ answers, seen, test }: Seen): string {
  const counters = test.meter
    .names()
    .filter((name) => name.startsWith('tulle_filter_'))
    .map((name) => [name, test.meter.value(name)]);
  return show({ answers, calls: seen.calls, counters });
}
