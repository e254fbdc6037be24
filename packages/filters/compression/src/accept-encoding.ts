import type { Headers } from '@tulle/filter';
import type { CompressionCoding } from '@tulle/model';

/** RFC 9110 §12.4.2: three digits at most. Anything else is no weight, and its element is passed over. */
const WEIGHT = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * The coding that a caller likes best (RFC 9110 §12.5.3), of equal ones the first of `offered`. Without the field, or where
 * it likes the body as it is better, none.
 */
export function chooseCoding(
  headers: Headers,
  offered: readonly CompressionCoding[],
): CompressionCoding | undefined {
  return chooseAmong(headers.getAll('accept-encoding'), offered);
}

/** The same by the lines of the field. */
export function chooseAmong(
  lines: readonly string[],
  offered: readonly CompressionCoding[],
): CompressionCoding | undefined {
  const weights = new Map<string, number>();
  for (const line of lines) for (const element of line.split(',')) read(element, weights);
  if (weights.size === 0) return undefined;
  const others = weights.get('*') ?? 0;
  let best: CompressionCoding | undefined;
  // Who lists the plain body says how much it likes it; else any coding it takes is better.
  let bestWeight = weights.get('identity') ?? 0;
  for (const coding of offered) {
    const weight = weights.get(coding) ?? others;
    if (weight > bestWeight || (weight === bestWeight && weight > 0 && best === undefined)) {
      best = coding;
      bestWeight = weight;
    }
  }
  return best;
}

function read(element: string, weights: Map<string, number>): void {
  const [name = '', ...parameters] = element.split(';').map((part) => part.trim().toLowerCase());
  if (name === '') return;
  let weight = 1;
  for (const parameter of parameters) {
    const [key = '', value = ''] = parameter.split('=').map((part) => part.trim());
    if (key !== 'q') continue;
    if (!WEIGHT.test(value)) return;
    weight = Number(value);
  }
  // RFC 9110 §8.4.1.3
  const coding = name === 'x-gzip' ? 'gzip' : name;
  // Of two that contradict each other the lower one harms nobody.
  weights.set(coding, Math.min(weight, weights.get(coding) ?? 1));
}
