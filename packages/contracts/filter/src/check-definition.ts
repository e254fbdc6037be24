import { TulleError, type ConfigIssue } from './error.ts';

const ID = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9._-]+)?$/;

/**
 * Versions of this contract that are accepted (decision D17: this one, and the one before), newest first. There is no
 * version before 1.
 */
export const FILTER_API_VERSIONS: readonly number[] = Object.freeze([1]);

/** What is looked at in a definition; of one that another copy of this package made, nothing is known. */
export interface UncheckedDefinition {
  readonly id?: unknown;
  readonly apiVersion?: unknown;
  readonly scope?: unknown;
  readonly stage?: unknown;
  readonly config?: unknown;
  readonly create?: unknown;
}

/** Refuses a definition that contradicts itself, all faults at once. @throws TulleError `TULLE_CONFIG_INVALID` */
export function checkDefinition(definition: UncheckedDefinition): void {
  const issues = definitionIssues(definition);
  if (issues.length > 0) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `filter ${String(definition.id)}: ${issues.map((i) => `${i.path} ${i.message}`).join('; ')}`,
      { issues },
    );
  }
}

/** Everything that is wrong with a definition, whichever copy of this package made it. */
export function definitionIssues(definition: UncheckedDefinition): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (typeof definition.id !== 'string' || !ID.test(definition.id)) {
    issues.push({
      path: '/id',
      message: `${JSON.stringify(definition.id)} is no filter id; use tulle.<area>.<name> or your npm package's name`,
    });
  }
  if (!FILTER_API_VERSIONS.includes(definition.apiVersion as number)) {
    issues.push({
      path: '/apiVersion',
      message: `${String(definition.apiVersion)} is not known here; this contract is version ${FILTER_API_VERSIONS[0]}`,
    });
  }
  if (definition.scope === 'attempt' && definition.stage === 'before-route') {
    issues.push({ path: '/stage', message: 'a filter of scope attempt runs after routing; leave stage out' });
  }
  if (
    typeof definition.config !== 'object' ||
    definition.config === null ||
    !('~standard' in definition.config)
  ) {
    issues.push({
      path: '/config',
      message: 'must be a Standard Schema with a jsonSchema property, e.g. made by @tulle/schema',
    });
  }
  if (typeof definition.create !== 'function')
    issues.push({ path: '/create', message: 'must be a function (host, config) => hooks' });
  return issues;
}
