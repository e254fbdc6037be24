/**
 * Chooses among content types by a request's `Accept` (RFC 9110 §12.5.1): the one with the highest weight, of equal ones
 * the first. A range with parameters matches types that have the same; `*` and no header at all match everything.
 * @param types content types as they would be sent
 * @returns index into `types`; 0 also when nothing is acceptable, since a page is better than a refusal
 */
export function chooseType(accept: string | undefined, types: readonly string[]): number {
  if (accept === undefined || types.length < 2) return 0;
  const ranges = accept.split(',').map(parseRange);
  let best = 0;
  let bestWeight = 0;
  for (const [i, type] of types.entries()) {
    const weight = weightOf(ranges, parseRange(type));
    if (weight > bestWeight) {
      best = i;
      bestWeight = weight;
    }
  }
  return best;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly weight: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim().toLowerCase());
  const parameters = new Map<string, string>();
  let weight = 1;
  for (const parameter of rest) {
    const [name = '', value = ''] = parameter.split('=').map((part) => part.trim());
    if (name === 'q') weight = Number(value) >= 0 && Number(value) <= 1 ? Number(value) : 0;
    else parameters.set(name, value.replace(/^"(.*)"$/, '$1'));
  }
  return { type, parameters, weight };
}

/** The weight of the most specific range that matches. */
function weightOf(ranges: readonly MediaRange[], offered: MediaRange): number {
  let weight = 0;
  let specific = -1;
  for (const range of ranges) {
    const fit = fitOf(range, offered);
    if (fit <= specific) continue;
    specific = fit;
    weight = range.weight;
  }
  return weight;
}

/** How specific a match is: -1 none, 0 everything, 1 a family, then a type with its parameters. */
function fitOf(range: MediaRange, offered: MediaRange): number {
  if (range.type === '*/*') return 0;
  if (range.type.endsWith('/*')) return offered.type.startsWith(range.type.slice(0, -1)) ? 1 : -1;
  if (range.type !== offered.type) return -1;
  for (const [name, value] of range.parameters) {
    const has = offered.parameters.get(name);
    // A parameter that we do not say, such as `escaping`, rules nothing out.
    if (has !== undefined && has !== value) return -1;
  }
  return 2 + range.parameters.size;
}
