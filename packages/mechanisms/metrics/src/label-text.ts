import type { Labels } from '@tulle/telemetry';

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Longer label values are cut: a page is written in bounded pieces, and no useful label is that long. */
const MAX_LABEL_VALUE_CHARS = 1024;

/** Refuses what Prometheus would refuse. @throws TypeError naming the instrument */
export function checkMetricName(name: string): void {
  if (!METRIC_NAME.test(name)) {
    throw new TypeError(
      `${JSON.stringify(name)} is no metric name; use tulle_<area>_<what>_<unit> (letters, digits, _ and :)`,
    );
  }
}

/** `\` → `\\`, `"` → `\"`, line feed → `\n`: the three escapes of the text format. */
export function escapeLabelValue(value: string): string {
  const cut = value.length > MAX_LABEL_VALUE_CHARS ? value.slice(0, MAX_LABEL_VALUE_CHARS) : value;
  // A lone surrogate would be written as U+FFFD by the socket; do it here so that two values cannot fall together later.
  const whole = cut.isWellFormed() ? cut : cut.toWellFormed();
  return /["\\\n]/.test(whole) ? whole.replace(/["\\\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`)) : whole;
}

/** Help text: quotes may stand in text format 0.0.4, backslash and line feed may not. */
export function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'));
}

/**
 * `a="1",b="2"`, sorted by name: both the text of a series and, because escaping makes it unambiguous, its key.
 * @throws TypeError for a name that is no label name, or one that is reserved
 */
export function labelText(metric: string, labels: Labels | undefined, reserved?: string): string {
  if (labels === undefined) return '';
  let text = '';
  for (const name of Object.keys(labels).sort()) {
    if (!LABEL_NAME.test(name) || name.startsWith('__') || name === reserved) {
      throw new TypeError(`${metric}: ${JSON.stringify(name)} is no label name that may be used here`);
    }
    text += `${text === '' ? '' : ','}${name}="${escapeLabelValue(labels[name] ?? '')}"`;
  }
  return text;
}

/** The labels that {@link labelText} wrote. */
export function parseLabelText(text: string): Labels {
  const labels: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    const equals = text.indexOf('="', at);
    const name = text.slice(at, equals);
    let value = '';
    let from = equals + 2;
    let to = from;
    for (; text[to] !== '"'; to++) {
      if (text[to] !== '\\') continue;
      value += text.slice(from, to) + (text[to + 1] === 'n' ? '\n' : text[to + 1]);
      to += 1;
      from = to + 1;
    }
    labels[name] = value + text.slice(from, to);
    at = to + 2; // quote and comma
  }
  return labels;
}

/** A sample's value. */
export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
