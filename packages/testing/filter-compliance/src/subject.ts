import type { AnyConnFilter, AnyHttpFilter, ConnFilter, DefinitionBase, SchemaIssue } from '@tulle/filter';
import type { Caller, ChainRun, TestRequest } from '@tulle/testkit';
import type { FilterUnderTest } from './observed-filter.ts';

/** One thing that every filter has to do. Hand it to your test runner: `it(name, run)`. */
export interface ComplianceCase {
  readonly name: string;
  /** Resolves when the filter complies. @throws Error that says what it did instead */
  run(): Promise<void>;
}

/** What the suite needs to know of a filter. */
export interface ComplianceOptions {
  readonly filter: AnyHttpFilter;
  /** Configurations under which it does something, as a user writes them; the more it can do, the more of them. */
  readonly validConfigs: readonly unknown[];
  /** Configurations under which it may wait: its hooks may return promises only there. Default: none. */
  readonly waitingConfigs?: readonly unknown[];
  /** Configurations that its schema has to refuse, with the JSON pointers of every issue. */
  readonly invalidConfigs: readonly { readonly config: unknown; readonly pointers: readonly string[] }[];
  /** Overrides on a route. Needed when the filter takes some. */
  readonly routeConfigs?: readonly unknown[];
  /** Requests that make it act, in addition to the suite's own odd ones. */
  readonly requests?: readonly TestRequest[];
  /** What the service answers, e.g. failures for a retry policy. Default 200. */
  readonly upstream?: ChainRun['upstream'];
  readonly caller?: ChainRun['caller'];
  /** Others that the filter calls, by address, e.g. `{ '10.0.2.1:80': () => ({ body: '{}' }) }`. */
  readonly services?: ChainRun['services'];
  /** For a filter that works on other threads: real time given to them, see `ChainRun.offThreadMs`. */
  readonly offThreadMs?: number;
}

/** {@link ComplianceOptions} as the cases use them. */
export interface Subject extends Omit<ComplianceOptions, 'filter'> {
  readonly filter: FilterUnderTest;
}

/** What the suite needs to know of a connection filter. */
export interface ConnComplianceOptions {
  readonly filter: AnyConnFilter;
  /** As for HTTP filters: configurations under which it does something. */
  readonly validConfigs: readonly unknown[];
  /** Configurations under which its hooks may return promises. Default: none. */
  readonly waitingConfigs?: readonly unknown[];
  readonly invalidConfigs: ComplianceOptions['invalidConfigs'];
  /** Who connects, in addition to the suite's own callers; those that make it act. */
  readonly callers?: readonly Caller[];
  readonly services?: ChainRun['services'];
}

/** {@link ConnComplianceOptions} as the cases use them. */
export interface ConnSubject extends Omit<ConnComplianceOptions, 'filter'> {
  readonly filter: ConnFilter<unknown, unknown>;
}

/** What every kind of filter has in common. */
export interface SchemaSubject extends Pick<
  ComplianceOptions,
  'validConfigs' | 'waitingConfigs' | 'invalidConfigs'
> {
  readonly filter: {
    (config: unknown): { readonly config: unknown };
    readonly definition: DefinitionBase<unknown>;
  };
}

/** The JSON pointer of an issue. */
export function pointerOf(issue: SchemaIssue): string {
  return (issue.path ?? [])
    .map(
      (part) =>
        `/${String(typeof part === 'object' ? part.key : part)
          .replaceAll('~', '~0')
          .replaceAll('/', '~1')}`,
    )
    .join('');
}
