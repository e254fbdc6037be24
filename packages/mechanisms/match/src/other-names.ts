/** The letters that begin the rest of a name, and what may follow each. */
interface Rest {
  readonly next: Map<string, Rest>;
  /** A name ends here. */
  ends: boolean;
  /** All that begins so is meant, whatever follows. */
  whole: boolean;
}

/**
 * RE2 patterns for whole names: of every name but these. RE2 has no lookahead, so that there is one for each place at which a name
 * may leave all of these; each is short, since Envoy refuses programs of more than 100 instructions (`re2.max_program_size`).
 * @param names names, and starts of names that end in `*`
 */
export function patternsOfOthers(names: readonly string[]): readonly string[] {
  const root = rest();
  for (const name of names) {
    const start = name.endsWith('*');
    let at = root;
    for (const letter of start ? name.slice(0, -1) : name) {
      const known = at.next.get(letter) ?? rest();
      at.next.set(letter, known);
      at = known;
    }
    if (start) at.whole = true;
    else at.ends = true;
  }
  return others('', root);
}

function rest(): Rest {
  return { next: new Map(), ends: false, whole: false };
}

/** @param start what leads here, as a pattern */
function others(start: string, { next, ends, whole }: Rest): readonly string[] {
  if (whole) return [];
  // A name ends here: only longer ones are others.
  if (next.size === 0) return [`${start}.+`];
  const leaving = `[^${[...next.keys()].map(escaped).join('')}].*`;
  return [
    ends || start === '' ? `${start}${leaving}` : `${start}(?:${leaving})?`,
    ...[...next].flatMap(([letter, after]) => others(`${start}${escaped(letter)}`, after)),
  ];
}

/** In and outside of a class. */
function escaped(letter: string): string {
  return /[\p{L}\d]/u.test(letter) ? letter : `\\${letter}`;
}
