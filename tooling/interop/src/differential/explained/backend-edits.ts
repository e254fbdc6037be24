import type { Difference } from '../compare.ts';
import type { Json } from '../configuration.ts';
import type { Pair } from './pair.ts';

type Side = 'request' | 'response';

/** Fields that a place edits, in lower case. */
function edited(place: Json, side: Side): Set<string> {
  const added = (place[`${side}_headers_to_add`] ?? []) as readonly {
    readonly header: { readonly key: string };
  }[];
  const removed = (place[`${side}_headers_to_remove`] ?? []) as readonly string[];
  return new Set([...added.map(({ header }) => header.key), ...removed].map((name) => name.toLowerCase()));
}

const list = (value: unknown): readonly Json[] => (value ?? []) as readonly Json[];

/** Explanation `backend-edits-last`: of a field that a backend of the split edits, and what stands around it edits too. */
export function explainsBackendEdits({ aspect }: Difference, { configuration }: Pair): boolean {
  const [, where, name] = /^(seen\[\d+\]|reply)\.header\.(.+)$/.exec(aspect) ?? [];
  const config = configuration.routes;
  if (name === undefined || config?.['most_specific_header_mutations_wins'] !== true) return false;
  const side: Side = where === 'reply' ? 'response' : 'request';
  const hosts = list(config['virtual_hosts']);
  const routes = hosts.flatMap((host) => list(host['routes']));
  const backends = routes.flatMap(({ route }) =>
    list(((route as Json | undefined)?.['weighted_clusters'] as Json | undefined)?.['clusters']),
  );
  const around = [config, ...hosts, ...routes];
  const isTwice = (one: string, of: Side): boolean =>
    [backends, around].every((places) => places.some((place) => edited(place, of).has(one)));
  if (isTwice(name, side)) return true;
  // Or of one that is made of a field that the others edit, or of one that both do.
  const isMadeOf = (places: readonly Json[], others: readonly Json[]): boolean =>
    places.some((place) =>
      sourcesOf(place, side, name).some(
        ([source, of]) => others.some((other) => edited(other, of).has(source)) || isTwice(source, of),
      ),
    );
  return isMadeOf(backends, around) || isMadeOf(around, backends);
}

/** Fields of which a place makes one. */
function sourcesOf(place: Json, side: Side, name: string): (readonly [source: string, of: Side])[] {
  return list(place[`${side}_headers_to_add`])
    .map(({ header }) => header as { readonly key: string; readonly value: string })
    .filter(({ key }) => key.toLowerCase() === name)
    .flatMap(({ value }) =>
      [...value.matchAll(/%(REQ|RESP)\(([a-z-]+)(?:\?([a-z-]+))?\)/g)].flatMap(([, of, ...names]) =>
        names
          .filter((one) => one !== undefined)
          .map((one) => [one, of === 'REQ' ? ('request' as const) : ('response' as const)] as const),
      ),
    );
}
