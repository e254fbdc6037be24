import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { TulleError, type ConfigIssue, type HttpPhase } from '@tulle/filter';
import { findIssues, issuePointer, jsonSchema } from '@tulle/schema';

/** A filter that a package exports. The schema is data: a control plane validates with it, and runs no code of the package. */
export interface AllowedFilter {
  /** Name of the export, `default` for the default one. */
  readonly export: string;
  /** The package's name, or `<package>/<name>`: what policies name. */
  readonly id: string;
  readonly kind: 'http' | 'connection';
  /** Where it runs when a policy names no phase (decision D7); absent: `custom`, for a connection filter `connection`. */
  readonly phase?: HttpPhase;
  readonly summary?: string;
  /** JSON Schema of its configuration. */
  readonly configSchema: Readonly<Record<string, unknown>>;
}

/** A package that proxies may load. */
export interface AllowedPackage {
  readonly package: string;
  readonly version: string;
  /** Of the installed files, see the README. */
  readonly integrity: string;
  /** What it depends on, whole: integrity by `name@version`. */
  readonly dependencies: Readonly<Record<string, string>>;
  readonly filters: readonly AllowedFilter[];
}

/** The allow-list as it stands in its file. */
export interface AllowList {
  readonly packages: readonly AllowedPackage[];
}

const INTEGRITY = { type: 'string', pattern: '^sha512-[A-Za-z0-9+/]{86}==$' } as const;
const ID = '^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*(/[a-z0-9._-]+)?$';

const PHASES: readonly HttpPhase[] = ['cors', 'authn', 'authz', 'limit', 'fault', 'custom', 'transform'];

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['packages'],
  properties: {
    packages: {
      type: 'array',
      maxItems: 1000,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['package', 'version', 'integrity', 'dependencies', 'filters'],
        properties: {
          package: {
            type: 'string',
            pattern: '^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$',
            maxLength: 214,
          },
          version: { type: 'string', pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$' },
          integrity: INTEGRITY,
          dependencies: { type: 'object', additionalProperties: INTEGRITY },
          filters: {
            type: 'array',
            minItems: 1,
            maxItems: 100,
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['export', 'id', 'kind', 'configSchema'],
              properties: {
                export: { type: 'string', minLength: 1 },
                id: { type: 'string', pattern: ID, maxLength: 214 },
                kind: { enum: ['http', 'connection'] },
                phase: { enum: PHASES },
                summary: { type: 'string' },
                configSchema: { type: 'object' },
              },
            },
          },
        },
      },
    },
  },
} as const;

/** Larger files are refused: no list of filters is that long. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Reads and checks an allow-list.
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault, each with file and place
 */
export function readAllowList(file: string): AllowList {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refusal(file, [
      {
        path: '',
        message:
          code === 'ENOENT'
            ? 'there is no such file; tulle filters allow PACKAGE writes one'
            : `cannot be read: ${code ?? String(error)}`,
      },
    ]);
  }
  return parseAllowList(text, file);
}

/** @throws TulleError `TULLE_CONFIG_INVALID` with every fault */
export function parseAllowList(text: string, file: string): AllowList {
  if (text.length > MAX_BYTES)
    throw refusal(file, [{ path: '', message: `is larger than ${MAX_BYTES / 1024 / 1024} MiB` }]);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refusal(file, [{ path: '', message: `is no JSON: ${(error as Error).message}` }]);
  }
  const issues: ConfigIssue[] = findIssues(SCHEMA, value).map(({ path, message }) => ({
    path: issuePointer(path),
    message,
  }));
  if (issues.length > 0) throw refusal(file, issues);
  const list = value as AllowList;
  const seen = new Map<string, string>();
  const once = (what: string, path: string, name: string): void => {
    const before = seen.get(`${what} ${name}`);
    if (before !== undefined) issues.push({ path, message: `${name} stands at ${before} already` });
    seen.set(`${what} ${name}`, path);
  };
  for (const [i, allowed] of list.packages.entries()) {
    once('package', `/packages/${i}/package`, allowed.package);
    for (const [j, filter] of allowed.filters.entries()) {
      const at = `/packages/${i}/filters/${j}`;
      once('filter', `${at}/id`, filter.id);
      if (!isIdOf(filter.id, allowed.package))
        issues.push({
          path: `${at}/id`,
          message: `${filter.id} is not an id of ${allowed.package}; it must be ${allowed.package}, or begin with ${allowed.package}/`,
        });
      try {
        jsonSchema(filter.configSchema);
      } catch (error) {
        issues.push({ path: `${at}/configSchema`, message: (error as Error).message });
      }
    }
  }
  if (issues.length > 0) throw refusal(file, issues);
  return list;
}

/** Whether a package may call a filter so: nobody takes the name of another's. */
export const isIdOf = (id: string, packageName: string): boolean =>
  id === packageName || id.startsWith(`${packageName}/`);

/** Writes it whole, or not at all; packages by name, so that a diff shows what changed. */
export function writeAllowList(file: string, list: AllowList): void {
  const packages = list.packages.toSorted((a, b) => (a.package < b.package ? -1 : 1));
  const beside = `${file}.new`;
  writeFileSync(beside, `${JSON.stringify({ packages }, null, 2)}\n`);
  renameSync(beside, file);
}

/** The error that tells what is wrong with an allow-list or what it names. */
export function refusal(file: string, issues: readonly ConfigIssue[]): TulleError {
  const lines = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`));
  return new TulleError(
    'TULLE_CONFIG_INVALID',
    lines.length === 1 ? `${file}: ${lines[0]}` : `${file}:\n  ${lines.join('\n  ')}`,
    { issues },
  );
}
