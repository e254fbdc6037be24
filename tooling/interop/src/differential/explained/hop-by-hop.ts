import type { Difference } from '../compare.ts';
import type { Pair } from './pair.ts';

/** Explanation `hop-by-hop`: of the field that Connection names, and of `te`, alone. */
export function explainsHopByHop(
  { aspect, envoy, tulle }: Difference,
  { configuration, exchange }: Pair,
): boolean {
  const [, side, name] = /^(reply|seen\[\d+\])\.header\.([^.]+)$/.exec(aspect) ?? [];
  if (name === undefined) return false;
  if (name === 'te') return side !== 'reply' && envoy === 'trailers' && tulle === '(none)';
  const messages =
    side === 'reply'
      ? Object.values(exchange?.answers ?? {}).flatMap((all) => all.map(({ headers = [] }) => headers))
      : [exchange?.headers ?? []];
  const named = messages
    .filter((fields) =>
      fields.some(
        ([field, value]) => field.toLowerCase() === 'connection' && value.split(/, */).includes(name),
      ),
    )
    .flat();
  if (named.length === 0) return false;
  // What came is gone, and nothing else: what is added after that is all there is, and Envoy has it behind what came.
  const came = named.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
  const lines = envoy.split('\n').filter((line) => !came.includes(line));
  const isEdited = JSON.stringify(configuration.routes ?? '').includes(`"key":"${name}"`);
  return tulle === '(none)'
    ? isEdited || lines.length === 0
    : isEdited && !tulle.split('\n').some((line) => came.includes(line));
}
