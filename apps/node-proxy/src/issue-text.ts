/** What is wrong, and where; as schemas report it. */
export interface Issue {
  readonly message: string;
  readonly path?: readonly unknown[] | undefined;
}

/** As a sentence of a message. */
export function issueText({ message, path = [] }: Issue): string {
  const at = path
    .map((part) => String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part))
    .join('.');
  return at === '' ? message : `${at}: ${message}`;
}
