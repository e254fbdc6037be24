import type { Area, Configuration, Exchange, Field } from '../configuration.ts';

/** Which sides speak HTTP/2, in turn; HTTP/1 alone is what the area itself does. */
const SPOKEN = [
  { caller: true, origin: false },
  { caller: true, origin: true },
  { caller: false, origin: true },
] as const;

/** As many configurations as this part of the area's. */
const SHARE = 4;

/** Configurations of another area, asked over HTTP/2, or answered over it, or both. */
export function overHttp2(area: Area): Area {
  return {
    name: `${area.name}-http2`,
    short: Math.ceil(area.short / SHARE),
    make(chance, index): Configuration {
      const made = area.make(chance, index);
      const { caller, origin } = SPOKEN[index % SPOKEN.length] as (typeof SPOKEN)[number];
      const answered = origin ? answeredOverHttp2(made) : made;
      return caller ? { ...answered, exchanges: answered.exchanges.map(asked) } : answered;
    },
  };
}

/** Fields of a connection, which HTTP/2 has none of (RFC 9113 §8.2.2). */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const isOfMessage = ([name, value]: Field): boolean =>
  !OF_CONNECTIONS.has(name.toLowerCase()) && (name !== 'te' || value === 'trailers');

function asked({ headers, ...exchange }: Exchange): Exchange {
  return {
    ...exchange,
    protocol: 'http2',
    chunked: false,
    // This client does not send some fields twice.
    ...(headers !== undefined && {
      headers: headers
        .filter(isOfMessage)
        .filter(([name], i, all) => name !== 'authorization' || all.findIndex(([one]) => one === name) === i)
        // HTTP/1.1 does not count blanks around a value.
        .map(([name, value]) => [name, value.trim()] as const),
    }),
  };
}

/** The origin that speaks HTTP/2 in the place of `a`. */
function answeredOverHttp2({ routes, exchanges, ...rest }: Configuration): Configuration {
  const text = JSON.stringify(routes ?? {})
    .replaceAll('"cluster":"a"', '"cluster":"h2"')
    .replaceAll(/"name":"a"(?=,"weight")/g, '"name":"h2"');
  return {
    ...rest,
    routes: JSON.parse(text) as NonNullable<Configuration['routes']>,
    exchanges: exchanges.map(({ answers, ...exchange }): Exchange => {
      if (answers === undefined) return exchange;
      const { a, ...others } = answers;
      const h2 = a?.map(({ headers, ...answer }) => ({
        ...answer,
        ...(headers !== undefined && { headers: headers.filter(isOfMessage) }),
      }));
      return { ...exchange, answers: { ...others, ...(h2 !== undefined && { h2 }) } };
    }),
  };
}
