import { TulleError, type ConfigIssue } from './error.ts';

const ID = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9._-]+)?$/;

/** Refuses a definition that contradicts itself, all faults at once. @throws TulleError `TULLE_CONFIG_INVALID` */
export function checkDefinition(definition: {
  readonly id: string;
  readonly apiVersion: number;
  readonly scope?: string;
  readonly stage?: string;
  readonly config?: unknown;
  readonly create?: unknown;
}): void {
  const issues: ConfigIssue[] = [];
  if (typeof definition.id !== 'string' || !ID.test(definition.id)) {
    issues.push({
      path: '/id',
      message: `${JSON.stringify(definition.id)} is no filter id; use tulle.<area>.<name> or your npm package's name`,
    });
  }
  if (definition.apiVersion !== 1) {
    issues.push({
      path: '/apiVersion',
      message: `${String(definition.apiVersion)} is not known here; this contract is version 1`,
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
  if (issues.length > 0) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `filter ${String(definition.id)}: ${issues.map((i) => `${i.path} ${i.message}`).join('; ')}`,
      { issues },
    );
  }
}
