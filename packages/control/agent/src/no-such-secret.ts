/** In words for whoever asked. */
export function noSuchSecret(name: string, known: Iterable<string>): string {
  return `there is no secret ${JSON.stringify(name.slice(0, 200))} here; there are ${[...known].join(', ')}`;
}
