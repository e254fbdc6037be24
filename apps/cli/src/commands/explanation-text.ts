import type { Explanation } from '@tulle/proxy';
import type { Paint } from '../cli/io.ts';
import type { ProxyExplanation } from '../proxies/explanations.ts';

type Reason = Explanation['reasons'][number];

/** Explanations as a person reads them: a head for each proxy, then its decisions in order, parts indented. */
export function explanationText(all: readonly ProxyExplanation[], look: Paint): string {
  return all.map((one) => textOf(one, look)).join('\n');
}

function textOf({ proxy, explanation }: ProxyExplanation, look: Paint): string {
  const { method, authority, path, upstreamPath, listener, status, code, hint, dryRun, whole } = explanation;
  const { requestId, startedAt, durationMs, peerIdentity, generation } = explanation;
  const what = `${method} ${authority}${path}${upstreamPath === undefined ? '' : ` (as ${upstreamPath})`}`;
  const end = outcomeOf(explanation);
  const lines = [
    `${look.bold(plain(proxy))}  ${plain(what)}  ${status >= 400 ? look.red(end) : look.green(end)}`,
    look.dim(
      [
        `listener ${listener}`,
        peerIdentity === undefined ? 'from a caller without an identity' : `from ${peerIdentity}`,
        dryRun ? 'imagined: nobody was called' : `${startedAt}, ${durationMs} ms, request id ${requestId}`,
        `configuration ${generation}`,
      ]
        .map(plain)
        .join(' · '),
    ),
    ...table(explanation.reasons, look),
  ];
  if (!whole) lines.push(look.yellow('  not all of it is known any more'));
  if (hint !== '') lines.push(`  ${look.bold(code)}: ${plain(hint)}`);
  return `${lines.join('\n')}\n`;
}

function outcomeOf({ status, code, dryRun }: Explanation): string {
  if (status === 0) return dryRun ? '→ would be sent on' : `→ no answer${code === '' ? '' : ` ${code}`}`;
  return `→ ${status}${code === '' ? '' : ` ${code}`}`;
}

/** Columns site, subject, outcome and why, as wide as they have to be. */
function table(reasons: readonly Reason[], look: Paint): string[] {
  const rows = reasons.flatMap((reason) => rowsOf(reason, 1));
  const width = (of: (row: Row) => string): number => Math.max(0, ...rows.map((row) => of(row).length));
  const site = width((row) => row.site);
  const subject = Math.min(
    48,
    width((row) => row.subject),
  );
  const outcome = Math.min(
    24,
    width((row) => row.outcome),
  );
  return rows.map((row) => {
    const line =
      `${row.site.padEnd(site)}  ${row.subject.padEnd(subject)}  ${row.outcome.padEnd(outcome)}  ${row.why}`.trimEnd();
    if (row.depth > 1) return look.dim(line);
    return row.bad ? look.red(line) : line;
  });
}

interface Row {
  readonly depth: number;
  readonly site: string;
  readonly subject: string;
  readonly outcome: string;
  readonly why: string;
  readonly bad: boolean;
}

function rowsOf({ site, subject, outcome, reason, detail, at, children = [] }: Reason, depth: number): Row[] {
  return [
    {
      depth,
      site: `${'  '.repeat(depth)}${site}`,
      subject: plain(subject),
      outcome: plain(outcome),
      why: plain(
        [reason, detail, at === undefined ? '' : `(${at} ms)`].filter((text) => text !== '').join('  '),
      ),
      bad: /^(?:stop|failed|none|refused|absent|given up|[45]\d\d)$/.test(outcome),
    },
    ...children.flatMap((child) => rowsOf(child, depth + 1)),
  ];
}

/** What callers sent must not move the reader's cursor. */
// oxlint-disable-next-line no-control-regex
const plain = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, ' ');
