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

/** How many exchanges of a run may differ under load only: more are no luck, and may hide a race. */
export const MOST_FLEETING = 5;

/** Why something may differ under load and not alone, as far as what differs tells it. */
function causeOf({ exchange, differences }: Finding): string {
  if (differences.every(({ aspect }) => aspect === 'took')) return 'how long it took, and nothing else';
  if (exchange?.tally !== undefined) return 'shares of chance';
  return exchange?.took === undefined ? 'cause unknown' : 'perhaps a deadline that passed at one side';
}

/** What differed once and no more: an exchange, its first difference and what may be the cause a line. */
export function fleetingText(findings: readonly Finding[]): string {
  if (findings.length === 0) return '';
  const lines = findings.map((finding) => {
    const {
      configuration: { id, exchanges },
      exchange,
      differences: [first],
    } = finding;
    const at = exchange === undefined ? id : `${id} --exchange ${exchanges.indexOf(exchange)}`;
    return `  ${at}: ${first?.aspect ?? ''}: ${JSON.stringify(first?.envoy)} by Envoy, ${JSON.stringify(first?.tulle)} by Tulle; ${causeOf(finding)}`;
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

/** What differed under load only, where that is more than may be. */
export function tooManyFleeting(results: readonly AreaResult[]): string | undefined {
  const count = results.reduce((sum, one) => sum + one.fleeting.length, 0);
  return count > MOST_FLEETING
    ? `${count} cases differ under load only, more than ${MOST_FLEETING}`
    : undefined;
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
