import { check, show } from './check.ts';
import { pointerOf, type ComplianceCase, type SchemaSubject } from './subject.ts';

/** Values that nobody would configure: a schema answers with issues, it does not throw. */
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  0,
  Number.NaN,
  '',
  'text',
  true,
  [],
  [[]],
  { '': 1 },
  JSON.parse('{"__proto__": {"a": 1}}'),
  () => 0,
  Symbol('s'),
  10n,
  new Date(0),
];

/** What the definition and the schema of a filter have to be, whatever its kind. */
export function schemaCases(subject: SchemaSubject): readonly ComplianceCase[] {
  const { filter, validConfigs, waitingConfigs = [], invalidConfigs } = subject;
  const { definition } = filter;
  const schema = definition.config['~standard'];
  const allValid = [...validConfigs, ...waitingConfigs];
  return [
    {
      name: 'the definition says what it is, and is frozen',
      async run() {
        check(
          Object.isFrozen(filter) && Object.isFrozen(definition),
          () => 'filter and definition are not frozen; make them with defineHttpFilter or defineConnFilter',
        );
        check(
          (definition.summary ?? '') !== '',
          () => 'the definition has no summary; say in one sentence what the filter does',
        );
        check(allValid.length > 0, () => 'no valid configuration was given');
        const use = filter(allValid[0]);
        check(
          use.config === allValid[0],
          () => 'calling the filter does not keep the configuration as it was given',
        );
      },
    },
    {
      name: 'the schema takes every valid configuration, and its own output again',
      async run() {
        for (const config of allValid) {
          const result = schema.validate(config);
          check(!(result instanceof Promise), () => 'validate returns a promise; it has to be synchronous');
          check(result.issues === undefined, () => `${show(config)} was refused: ${show(result.issues)}`);
          const again = schema.validate(result.value);
          check(
            again.issues === undefined && show(again.value) === show(result.value),
            () => `the output ${show(result.value)} is not taken as it is`,
          );
        }
      },
    },
    {
      name: 'the schema refuses every unknown field, all at once',
      async run() {
        for (const config of allValid) {
          const result = schema.validate({ ...(config as object), 'zz-unknown-1': 1, 'zz-unknown-2': 2 });
          const pointers = (result.issues ?? []).map(pointerOf);
          for (const field of ['/zz-unknown-1', '/zz-unknown-2'])
            check(
              pointers.includes(field),
              () => `the unknown field ${field} was not reported; issues at ${show(pointers)}`,
            );
        }
      },
    },
    {
      name: 'the schema reports every issue of a wrong configuration, with its path',
      async run() {
        check(invalidConfigs.length > 0, () => 'no invalid configuration was given');
        for (const { config, pointers } of invalidConfigs) {
          const { issues = [] } = schema.validate(config);
          check(
            issues.every((issue) => issue.message !== ''),
            () => 'an issue has no message',
          );
          const found = issues.map(pointerOf).toSorted();
          check(
            show(found) === show(pointers.toSorted()),
            () => `${show(config)} gave issues at ${show(found)} instead of ${show(pointers)}`,
          );
        }
      },
    },
    {
      name: 'the schema answers nonsense with issues, and does not throw',
      async run() {
        for (const value of NONSENSE) {
          const result = schema.validate(value);
          check(
            result.issues !== undefined || (typeof value === 'object' && value !== null),
            () => `${String(value)} was taken for a configuration`,
          );
        }
      },
    },
    {
      name: 'the JSON Schema describes every option',
      async run() {
        const { properties = {} } = definition.config.jsonSchema as {
          readonly properties?: Readonly<Record<string, unknown>>;
        };
        const bare = Object.entries(properties)
          .filter(([, option]) => !isDescribed(option))
          .map(([name]) => name);
        check(
          bare.length === 0,
          () => `these options have no description (their own, or of everything below): ${bare.join(', ')}`,
        );
      },
    },
  ];
}

function isDescribed(option: unknown): boolean {
  const { description, properties, anyOf } = option as {
    readonly description?: string;
    readonly properties?: Readonly<Record<string, unknown>>;
    readonly anyOf?: readonly unknown[];
  };
  if (description !== undefined && description !== '') return true;
  return properties === undefined
    ? anyOf !== undefined && anyOf.every(isDescribed)
    : Object.values(properties).every(isDescribed);
}
