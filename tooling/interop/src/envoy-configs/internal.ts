/** The configuration that has listeners without sockets. */
export const INTERNAL = 'internal-listeners';

const PAGES: readonly string[] = [
  '/listeners',
  '/listeners?format=json',
  '/clusters',
  '/clusters?format=json',
  '/config_dump?resource=static_listeners',
  '/config_dump?resource=static_clusters',
];
const NAMES =
  /envoy:\/\/[^":\n]*(?=::)|"(?:server_listener_name|endpoint_id)": *"[^"]*"|"internal_listener": *\{ *\}/g;

/** What of them the pages name, each name once. */
export async function namesOf(ports: ReadonlyMap<number, number>): Promise<string> {
  const lines: string[] = [];
  for (const page of PAGES) {
    const text = await (await fetch(`http://127.0.0.1:${ports.get(9901)}${page}`)).text();
    const names = new Set((text.match(NAMES) ?? []).map((name) => name.replaceAll(/ +/g, '')));
    lines.push(`${page}: ${[...names].toSorted().join(' ')}`);
  }
  return lines.join('\n');
}

/** @throws Error with both where they differ */
export function sameNames(envoy: string, tulle: string): string {
  if (envoy !== tulle) throw new Error(`Envoy:\n${envoy}\nTulle:\n${tulle}`);
  return `${tulle.split(' ').length} names`;
}
