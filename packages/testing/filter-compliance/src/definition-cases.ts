import { check, show } from './check.ts';
import { IDLE_HOST } from './idle-host.ts';
import { schemaCases } from './schema-cases.ts';
import type { ComplianceCase, Subject } from './subject.ts';

const HOOKS: readonly string[] = [
  'requestHeaders',
  'requestData',
  'requestTrailers',
  'responseHeaders',
  'responseData',
  'responseTrailers',
  'attemptEnd',
  'complete',
  'dispose',
];
/** What the definition, schema and hooks of an HTTP filter have to be. */
export function definitionCases(subject: Subject): readonly ComplianceCase[] {
  const { filter, validConfigs, waitingConfigs = [] } = subject;
  const { definition } = filter;
  const schema = definition.config['~standard'];
  const allValid = [...validConfigs, ...waitingConfigs];
  return [
    ...schemaCases(subject),
    {
      name: 'its hooks are those of the contract, and of its scope and declared bodies',
      async run() {
        for (const config of allValid) {
          const parsed = schema.validate(config);
          check(parsed.issues === undefined, () => `${show(config)} was refused`);
          const hooks = await definition.create(IDLE_HOST, parsed.value);
          const names = Object.keys(hooks);
          const unknown = names.filter((name) => !HOOKS.includes(name));
          check(
            unknown.length === 0,
            () => `there are no hooks named ${unknown.join(', ')}; the contract has ${HOOKS.join(', ')}`,
          );
          if (definition.bodyFor === undefined) {
            check(
              hooks.requestData === undefined || definition.body?.request !== undefined,
              () => 'requestData without a declared body.request',
            );
            check(
              hooks.responseData === undefined || definition.body?.response !== undefined,
              () => 'responseData without a declared body.response',
            );
          }
          check(
            hooks.attemptEnd === undefined || definition.scope === 'attempt',
            () => "attemptEnd without scope 'attempt'",
          );
          await hooks.dispose?.();
        }
      },
    },
  ];
}
