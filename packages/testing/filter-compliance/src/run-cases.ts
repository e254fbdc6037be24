import { runChain, seededRandom, type ChainResult, type TestRequest } from '@tulle/testkit';
import { check, show } from './check.ts';
import type { ComplianceCase, Subject } from './subject.ts';
import { observe, type Observations } from './observed-filter.ts';

const SLOT = 'subject';

/** Odd but valid requests. */
const ODD_REQUESTS: readonly TestRequest[] = [
  {},
  { method: 'HEAD', path: '/?' },
  { method: 'OPTIONS', path: '/a;b=c/%E2%82%AC?x=%zz&&=' },
  { method: 'POST', body: 'text' },
  { method: 'PUT', chunks: ['a', 'bc'], trailers: { 'x-trailer': '1' } },
  { method: 'PATCH' },
  {
    headers: [
      ['x-empty', ''],
      ['x-twice', '1'],
      ['X-Twice', '2'],
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
      ['x-latin', 'caf\u00e9 "quoted", comma'],
    ],
  },
  {
    path: `/${'long/'.repeat(200)}`,
    headers: Array.from({ length: 60 }, (_, index) => [`x-h${index}`, 'v'.repeat(100)] as const),
  },
];

interface Outcome {
  readonly result: ChainResult;
  readonly seen: Observations;
}

/** What a filter has to do in the engine. */
export function runCases(subject: Subject): readonly ComplianceCase[] {
  const { validConfigs, waitingConfigs = [], routeConfigs = [] } = subject;
  const { definition } = subject.filter;
  const everyConfig = [...validConfigs, ...waitingConfigs];
  const requests = [...(subject.requests ?? []), ...ODD_REQUESTS];

  const run = async (
    config: unknown,
    change: {
      filterConfigs?: Readonly<Record<string, unknown>>;
      requests?: readonly TestRequest[];
      mandatory?: boolean;
    } = {},
  ): Promise<Outcome> => {
    const { filter, seen } = observe(subject.filter);
    const result = await runChain({
      filters: [filter(config, { name: SLOT, mandatory: change.mandatory ?? false })],
      request: change.requests ?? requests,
      random: seededRandom(7),
      ...(subject.upstream === undefined ? {} : { upstream: subject.upstream }),
      ...(subject.caller === undefined ? {} : { caller: subject.caller }),
      ...(subject.services === undefined ? {} : { services: subject.services }),
      ...(subject.offThreadMs === undefined ? {} : { offThreadMs: subject.offThreadMs }),
      ...(change.filterConfigs === undefined ? {} : { filterConfigs: change.filterConfigs }),
    });
    return { result, seen };
  };

  return [
    {
      name: 'it does something under each valid configuration, and its hooks never throw on odd requests',
      async run() {
        for (const config of everyConfig) {
          const { result, seen } = await run(config);
          checkHealthy(result, config);
          check(
            seen.calls.length > 0,
            () =>
              `under ${show(config)} no hook was called by any of ${requests.length} requests; give requests that make it act`,
          );
        }
      },
    },
    {
      name: 'it is created and disposed as often, and keeps no timer of a disposed instance',
      async run() {
        for (const config of everyConfig) {
          const { result, seen } = await run(config);
          check(
            seen.created === seen.disposed,
            () => `${seen.created} instances were created and ${seen.disposed} disposed`,
          );
          // What fires late would touch streams that are over.
          await result.clock.advance(3_600_000);
          checkHealthy(result, config);
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
      name: 'complete and attemptEnd answer at once: nobody waits for them, and the stream is gone afterwards',
      async run() {
        for (const config of everyConfig) {
          const { seen } = await run(config);
          const late = seen.promises.filter((hook) => hook === 'complete' || hook === 'attemptEnd');
          check(
            late.length === 0,
            () => `${[...new Set(late)].join(', ')} returned a promise under ${show(config)}`,
          );
        }
      },
    },
    {
      name: 'with time and chance given, two instances do the same: no state is shared, no clock or chance of its own',
      async run() {
        for (const config of everyConfig) {
          const globals = Object.getOwnPropertyNames(globalThis).length;
          const [first, second] = [await run(config), await run(config)];
          check(
            summary(first) === summary(second),
            () =>
              `under ${show(config)} the first instance did ${summary(first)}, the second ${summary(second)}`,
          );
          check(
            Object.getOwnPropertyNames(globalThis).length === globals,
            () => 'it added a property to the global object',
          );
        }
      },
    },
    {
      name: 'per-stream state is as new after its reset',
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
      name: 'with effects none, an earlier request changes nothing for a later one',
      async run() {
        if (definition.effects !== 'none') return;
        for (const config of validConfigs) {
          for (const request of subject.requests ?? []) {
            const { result, seen } = await run(config, { requests: [request, request, request] });
            const answers = result.responses.map((response) => response.status);
            check(
              new Set(answers).size === 1,
              () =>
                `the same request was answered ${answers.join(', ')} under ${show(config)}; declare effects local`,
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
    {
      name: 'null on a route removes it there, and mandatory forbids that',
      async run() {
        for (const config of everyConfig) {
          const { seen } = await run(config, { filterConfigs: { [SLOT]: null } });
          const called = seen.calls.filter(() => definition.stage !== 'before-route');
          check(
            called.length === 0,
            () => `removed on the route, it was called: ${[...new Set(called)].join(', ')}`,
          );
          await refused(
            run(config, { filterConfigs: { [SLOT]: null }, mandatory: true }),
            'a mandatory filter was removed by a route',
          );
        }
      },
    },
    {
      name: 'overrides on a route are in force there, or refused where it takes none',
      async run() {
        const [config] = everyConfig;
        if (definition.routeConfig === undefined)
          return refused(
            run(config, { filterConfigs: { [SLOT]: {} } }),
            'an override was taken although there is no routeConfig',
          );
        check(routeConfigs.length > 0, () => 'the filter takes overrides; give routeConfigs');
        for (const override of routeConfigs)
          checkHealthy((await run(config, { filterConfigs: { [SLOT]: override } })).result, override);
        return refused(
          run(config, { filterConfigs: { [SLOT]: { 'zz-unknown': 1 } } }),
          'an unknown field of an override was taken',
        );
      },
    },
  ];
}

/** No hook failed, no stream was lost, nothing was logged as an error. */
function checkHealthy(result: ChainResult, config: unknown): void {
  const errors = result.log.lines.filter((line) => line.level === 'error');
  check(
    errors.length === 0,
    () =>
      `under ${show(config)} the log has ${show(errors.map((line) => [line.message, line.fields['stack']]))}`,
  );
  check(result.meter.value('tulle_filter_errors_total') === 0, () => `under ${show(config)} a hook failed`);
  check(result.response !== undefined, () => `under ${show(config)} a request got no answer`);
}

/** What a run came to, without what differs by nature. */
function summary({ result, seen }: Outcome): string {
  const counters = result.meter
    .names()
    .filter((name) => name.startsWith('tulle_filter_'))
    .map((name) => [name, result.meter.value(name)]);
  return show({
    responses: result.responses.map((response) => [response.status, response.headers]),
    upstream: result.upstreamRequests.map((request) => [
      request.method,
      request.target,
      request.headers.filter(([name]) => name !== 'x-request-id'),
    ]),
    calls: seen.calls,
    counters,
  });
}

async function refused(run: Promise<unknown>, otherwise: string): Promise<void> {
  const taken = await run.then(
    () => true,
    () => false,
  );
  check(!taken, () => otherwise);
}
