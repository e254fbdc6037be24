/** What a JUnit report of h2spec says. */
export interface Found {
  readonly passed: number;
  readonly skipped: number;
  /** `section: what the case does`. */
  readonly failed: readonly string[];
}

/** Reads a report: every `testcase`, failed when it holds a `failure` or an `error`. */
export function reportOf(xml: string): Found {
  let [passed, skipped] = [0, 0];
  const failed: string[] = [];
  for (const [, attributes = '', body = ''] of xml.matchAll(
    /<testcase\b([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g,
  )) {
    if (/<(?:failure|error)\b/.test(body)) {
      const attribute = (name: string): string =>
        new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '?';
      failed.push(`${attribute('package')}: ${attribute('classname')}`);
    } else if (/<skipped\b/.test(body)) skipped++;
    else passed++;
  }
  return { passed, skipped, failed };
}
