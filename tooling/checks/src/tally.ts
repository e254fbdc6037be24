export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const CLOSING_LINE = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** Reads `N passed, N failed, N skipped`. */
export function parseClosingLine(line: string): Tally | undefined {
  const [, passed, failed, skipped] = CLOSING_LINE.exec(line) ?? [];
  return passed === undefined
    ? undefined
    : { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
}

export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** What a check adds: the counts that its last closing line states, or itself as one. A non-zero exit is never a pass. */
export function resultOf(ok: boolean, stated: Tally | undefined): Tally {
  if (!stated) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
  return ok || stated.failed > 0 ? stated : { ...stated, failed: 1 };
}

export function add(sum: Tally, more: Tally): void {
  sum.passed += more.passed;
  sum.failed += more.failed;
  sum.skipped += more.skipped;
}
