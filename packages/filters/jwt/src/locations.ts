import type { HttpStream, RequestHead } from '@tulle/filter';
import type { JwtLocation } from '@tulle/model';

/** More than one token at one place: which of them counts, readers do not agree on. */
export const SEVERAL: unique symbol = Symbol('several tokens');

/** A place where a token may stand. */
export interface Location {
  /** The same place has the same key. */
  readonly key: string;
  read(request: RequestHead): string | typeof SEVERAL | undefined;
  /** Removes whatever stands there. */
  strip(stream: HttpStream): void;
}

/** Compiles a place. */
export function compileLocation(location: JwtLocation): Location {
  if ('query' in location) return queryLocation(location.query);
  if ('cookie' in location) return cookieLocation(location.cookie);
  const name = location.header.toLowerCase();
  return headerLocation(name, location.prefix ?? (name === 'authorization' ? 'Bearer ' : ''));
}

function headerLocation(name: string, prefix: string): Location {
  // Authentication schemes have no case (RFC 9110 §11.1).
  const lowerPrefix = prefix.toLowerCase();
  return {
    key: `header ${name} ${lowerPrefix}`,
    read({ headers }) {
      let found: string | undefined;
      for (let index = 0; index < headers.length; index += 1) {
        if (headers.name(index) !== name) continue;
        // Of two lines a service may take the other one, whatever its scheme.
        if (found !== undefined) return SEVERAL;
        found = headers.value(index);
      }
      if (found === undefined) return undefined;
      if (prefix === '') return found;
      if (found.length < prefix.length || found.slice(0, prefix.length).toLowerCase() !== lowerPrefix)
        return undefined;
      return found.slice(prefix.length).trimStart();
    },
    strip: ({ request }) => void request.headers.remove(name),
  };
}

function queryLocation(name: string): Location {
  return {
    key: `query ${name}`,
    read({ query }) {
      if (query === undefined) return undefined;
      let found: string | undefined;
      for (const part of query.split('&')) {
        const equals = part.indexOf('=');
        if (decodePart(equals < 0 ? part : part.slice(0, equals)) !== name) continue;
        if (found !== undefined) return SEVERAL;
        found = equals < 0 ? '' : decodePart(part.slice(equals + 1));
      }
      return found;
    },
    strip({ request }) {
      const rest = (request.query ?? '').split('&').filter((part) => {
        const equals = part.indexOf('=');
        return decodePart(equals < 0 ? part : part.slice(0, equals)) !== name;
      });
      request.query = rest.length === 0 ? undefined : rest.join('&').replace(/[^!$-;=?-_a-z{|}~`]/g, escape);
    },
  };
}

/** Octets that may have come in a query and may not be written into one. */
function escape(octet: string): string {
  return `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** As services decode a query; what they could not decode stays as it is. */
function decodePart(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

function cookieLocation(name: string): Location {
  const isWanted = (pair: string): boolean => {
    const equals = pair.indexOf('=');
    return equals >= 0 && pair.slice(0, equals).trim() === name;
  };
  return {
    key: `cookie ${name}`,
    read({ headers }) {
      let found: string | undefined;
      for (let index = 0; index < headers.length; index += 1) {
        if (headers.name(index) !== 'cookie') continue;
        for (const pair of headers.value(index).split(';')) {
          if (!isWanted(pair)) continue;
          if (found !== undefined) return SEVERAL;
          // RFC 6265 §4.1.1: a value may stand in quotes.
          found = pair
            .slice(pair.indexOf('=') + 1)
            .trim()
            .replace(/^"(.*)"$/, '$1');
        }
      }
      return found;
    },
    strip({ request: { headers } }) {
      const lines = headers.getAll('cookie');
      headers.remove('cookie');
      for (const line of lines) {
        const rest = line.split(';').filter((pair) => !isWanted(pair));
        const kept = rest.join(';').trim();
        if (kept !== '') headers.append('cookie', kept);
      }
    },
  };
}
