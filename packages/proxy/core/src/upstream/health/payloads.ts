/** @param texts byte strings, hexadecimal */
export function payloadsOf(texts: readonly string[] = []): readonly Buffer[] {
  return texts.map((text) => Buffer.from(text, 'hex'));
}

/** Whether bytes hold all of these in this order; others may be between (Envoy `PayloadMatcher`). */
export function holdsAll(bytes: Buffer, wanted: readonly Buffer[]): boolean {
  let at = 0;
  for (const one of wanted) {
    const found = bytes.indexOf(one, at);
    if (found < 0) return false;
    at = found + one.length;
  }
  return true;
}
