import { EXPLANATIONS } from './explained.ts';
import type { AreaResult, Finding } from './run.ts';

/** Findings of an area that are told in full. */
const TOLD = 5;

/** A finding, so that it can be understood and had again. */
export function findingText({ configuration, exchange, differences }: Finding): string {
  const { id, exchanges, ...rest } = configuration;
  const number = exchange === undefined ? '' : ` --exchange ${exchanges.indexOf(exchange)}`;
  return [
    `${differences.length} unexplained, of ${id}:`,
    ...differences.map(
      ({ aspect, envoy, tulle }) =>
        `  ${aspect}: ${JSON.stringify(envoy)} by Envoy, ${JSON.stringify(tulle)} by Tulle`,
    ),
    ...(exchange === undefined ? [] : [`  asked: ${JSON.stringify(exchange)}`]),
    `  configuration: ${JSON.stringify(rest)}`,
    `  again: npm run test:differential -- --case ${id.replace(/~.*/, '')}${id.includes('~') ? '' : number}`,
  ].join('\n');
}

/** What differed once and no more: an exchange and its first difference a line. */
export function fleetingText(findings: readonly Finding[]): string {
  if (findings.length === 0) return '';
  const lines = findings.map(({ configuration: { id, exchanges }, exchange, differences: [first] }) => {
    const at = exchange === undefined ? id : `${id} --exchange ${exchanges.indexOf(exchange)}`;
    return `  ${at}: ${first?.aspect ?? ''}: ${JSON.stringify(first?.envoy)} by Envoy, ${JSON.stringify(first?.tulle)} by Tulle`;
  });
  return [`differs under load only, and not again alone: ${findings.length}`, ...lines].join('\n');
}

/** What an area came to, in a line; its findings in full, the first few. @throws Error where something is not explained */
export function areaText({
  area,
  seed,
  cases,
  configurations,
  refusedByBoth,
  findings,
  fleeting,
}: AreaResult): string {
  const both = refusedByBoth === 0 ? '' : `, ${refusedByBoth} refused by both`;
  const text = `${cases} cases of ${configurations} configurations${both}, seed ${seed}`;
  if (findings.length === 0) return [text, fleetingText(fleeting)].filter(Boolean).join('; ');
  const told = findings.slice(0, TOLD).map(findingText);
  const more = findings.length > TOLD ? [`and ${findings.length - TOLD} more`] : [];
  throw new Error(
    [`${area}: ${text}; ${findings.length} with unexplained differences`, ...told, ...more].join('\n'),
  );
}

/** How often each explanation was needed. */
export function hitsOf(results: readonly AreaResult[]): ReadonlyMap<string, number> {
  return new Map(
    EXPLANATIONS.map(({ id }) => [id, results.reduce((sum, { hits }) => sum + (hits.get(id) ?? 0), 0)]),
  );
}

/** The list of what is meant to differ, with how often it did. */
function explanationsText(hits: ReadonlyMap<string, number>): string {
  return EXPLANATIONS.map(
    ({ id, citation }) => `${String(hits.get(id) ?? 0).padStart(6)} × ${id} (${citation})`,
  ).join('\n');
}

/** Exchanges, and configurations, of which something is not explained. */
export function unexplainedOf(results: readonly AreaResult[]): number {
  return results.reduce((sum, one) => sum + one.findings.length, 0);
}

/** What all of a run came to: seeds, numbers, and how often each explanation was needed. */
export function wholeText(results: readonly AreaResult[]): string {
  const total = (of: (one: AreaResult) => number): number => results.reduce((sum, one) => sum + of(one), 0);
  const seeds = [...new Set(results.map(({ seed }) => seed))];
  return [
    `${total(({ cases }) => cases)} cases of ${total(({ configurations }) => configurations)} configurations, seed${
      seeds.length === 1 ? '' : 's'
    } ${seeds.join(', ')}: ${unexplainedOf(results)} with unexplained differences; explained, by entry:`,
    explanationsText(hitsOf(results)),
    fleetingText(results.flatMap(({ fleeting }) => fleeting)),
  ]
    .filter(Boolean)
    .join('\n');
}
