/** An issue of a schema: what is wrong, and where. */
export function issueText({
  message,
  path = [],
}: {
  readonly message: string;
  readonly path?: readonly unknown[] | undefined;
}): string {
  const at = path
    .map((part) => String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part))
    .join('.');
  return at === '' ? message : `${at}: ${message}`;
}
