import { didYouMean as closest } from '@tulle/schema';

/** `did you mean "x"?`, or nothing. */
export function didYouMean(text: string, candidates: Iterable<string>): string | undefined {
  if (text.length > 200) return undefined;
  const best = closest(
    text,
    [...candidates].filter((candidate) => candidate !== text),
  );
  return best === undefined ? undefined : `did you mean ${JSON.stringify(best)}?`;
}
