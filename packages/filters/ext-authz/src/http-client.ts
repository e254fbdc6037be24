import {
  isTulleError,
  type FetchReply,
  type FetchRequest,
  type FilterHost,
  type Headers,
  type MetadataValues,
  type HttpStream,
} from '@tulle/filter';
import {
  EXT_AUTHZ_CLIENT_HEADERS,
  EXT_AUTHZ_KEPT_HEADERS,
  EXT_AUTHZ_SENT_HEADERS,
  type ExtAuthzHttpService,
} from '@tulle/model';
import { compileNames, type NameTest } from '@tulle/match';
import { isCarried, isEditable } from './fields.ts';
import {
  failed,
  failureOf,
  NO_EDITS,
  type CheckInput,
  type HeaderEdit,
  type Outcome,
  type RunningCheck,
} from './outcome.ts';
import type { CheckClient } from './check-client.ts';

/** A larger answer is no answer: a refusal is a page at most. */
const MAX_ANSWER_BYTES = 65_536;

/** What every check carries: credentials, and what the proxy itself says of the caller. */
const ALWAYS_SENT: readonly string[] = ['authorization', ...EXT_AUTHZ_SENT_HEADERS];

/** Header by which an allowing answer names headers to remove (Envoy `x-envoy-auth-headers-to-remove`). */
const HEADERS_TO_REMOVE = 'x-envoy-auth-headers-to-remove';

/** Asks over HTTP, the way that the engine's requests go. */
export function httpClient(
  host: FilterHost,
  { http }: ExtAuthzHttpService,
  withheldHeaders: readonly string[],
): CheckClient {
  const always = http.onlyListed === true ? ['authorization'] : ALWAYS_SENT;
  const listed = compileNames([...always, ...(http.requestHeaders ?? [])]);
  const withheld = compileNames(withheldHeaders);
  const added = (http.addedHeaders ?? []).map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  const sent: NameTest = (name) => listed(name) && !withheld(name) && !added.some((one) => one.name === name);
  const wanted = http.upstreamHeaders ?? [];
  const upstream = compileNames(wanted.filter((name) => name !== '*'));
  const kept = compileNames(EXT_AUTHZ_KEPT_HEADERS);
  const all = wanted.includes('*');
  const isGiven: NameTest = (name) => upstream(name) || (all && !kept(name));
  const client = compileNames(http.clientHeaders ?? EXT_AUTHZ_CLIENT_HEADERS);
  const success = compileNames(http.clientHeadersOnSuccess ?? []);
  const appended = compileNames(http.upstreamHeadersAppended ?? []);
  const known = compileNames(http.metadataHeaders ?? []);
  const base = new URL(http.url).pathname.replace(/\/$/, '');

  return {
    check(stream, input): RunningCheck {
      return { outcome: ask(describe(stream, input)), cancel: () => {} };
    },
    // Services behind CGI or WSGI read `x_user` as `x-user`. Where every header is the service's to set, none is its alone.
    claimed: (headers) => namesOf(headers, (name) => upstream(name.replaceAll('_', '-')) && isEditable(name)),
    close: () => {},
  };

  function describe(stream: HttpStream, { body, timeoutMs }: CheckInput): FetchRequest {
    const { request } = stream;
    const behind = http.path !== 'fixed';
    const uri = request.query === undefined ? request.path : `${request.path}?${request.query}`;
    const headers: string[] = [];
    request.headers.forEach((name, value) => {
      if (sent(name) && isCarried(name)) headers.push(name, value);
    });
    for (const { name, value } of added) headers.push(name, value);
    if (!behind)
      headers.push(
        'x-forwarded-method',
        request.method,
        'x-forwarded-host',
        request.authority,
        'x-forwarded-uri',
        uri,
      );
    return {
      url: http.url,
      ...(http.cluster === undefined ? {} : { cluster: http.cluster }),
      ...(behind
        ? {
            method: request.method,
            authority: request.authority,
            target: http.target ?? (request.path === '*' ? `${base}/` : `${base}${uri}`),
          }
        : {}),
      headers,
      // Without a body a method that usually has one says that it has none; as Envoy does, and GEP-1494 wants, each does.
      ...(body !== undefined || (behind && (http.onlyListed === true || HAVE_BODIES.has(request.method)))
        ? { body: body ?? NO_BODY }
        : {}),
      timeoutMs,
      maxBodyBytes: MAX_ANSWER_BYTES,
    };
  }

  async function ask(request: FetchRequest): Promise<Outcome> {
    const endMs = host.nowMs() + request.timeoutMs;
    try {
      return read(await host.fetch(request));
    } catch (error) {
      // The connection had rested too long, most likely. A check changes nothing, so it may be asked again (D5), whatever its method.
      const leftMs = endMs - host.nowMs();
      const again = isTulleError(error) && error.code === 'TULLE_UPSTREAM_RESET' && leftMs > 0;
      if (!again || REPEATED.has(request.method ?? 'GET')) return failureOf(error, 'internal');
      try {
        return read(await host.fetch({ ...request, timeoutMs: leftMs }));
      } catch (second) {
        return failureOf(second, 'internal');
      }
    }
  }

  function read({ status, headers, body }: FetchReply): Outcome {
    if (status >= 500) return failed('status', `the service answered ${status}`);
    if (status >= 300 || (http.onlyOk === true && status !== 200))
      return {
        kind: 'denied',
        status,
        headers: flat(headers, (name) => client(name) && isCarried(name)),
        body,
      };
    return {
      kind: 'allowed',
      ...NO_EDITS,
      remove: removals(headers),
      edits: [
        ...edits(headers, (name) => isGiven(name) && isEditable(name)),
        ...edits(headers, (name) => appended(name) && isEditable(name)).map((one): HeaderEdit => ({
          ...one,
          how: 'append',
        })),
      ],
      metadata: knownOf(headers, known),
      // Beside what the called service says, as in Envoy: cookies of both reach the caller.
      responseEdits: edits(headers, (name) => success(name) && isCarried(name)).map((one) => ({
        ...one,
        how: 'append',
      })),
    };
  }

  function removals(headers: Headers): readonly string[] {
    return headers
      .getAll(HEADERS_TO_REMOVE)
      .flatMap((line) => line.split(','))
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== '' && isEditable(name));
  }
}

/** Values by name, of repeated lines the first. */
function knownOf(headers: Headers, wanted: NameTest): MetadataValues | undefined {
  const values = new Map<string, string>();
  headers.forEach((name, value) => {
    if (wanted(name) && !values.has(name)) values.set(name, value);
  });
  return values.size === 0 ? undefined : Object.fromEntries(values);
}

/** What the proxy asks once more by itself where a connection had rested too long (RFC 9110 §9.2.2). */
const REPEATED: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const HAVE_BODIES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const NO_BODY: Uint8Array = new Uint8Array(0);

/** Names of the lines that are wanted, each once. */
function namesOf(headers: Headers, wanted: NameTest): readonly string[] {
  const names = new Set<string>();
  headers.forEach((name) => {
    if (wanted(name)) names.add(name);
  });
  return [...names];
}

function flat(headers: Headers, wanted: NameTest): readonly string[] {
  const found: string[] = [];
  headers.forEach((name, value) => {
    if (wanted(name)) found.push(name, value);
  });
  return found;
}

/** The lines of the answer: the first of a name replaces what is there, the others stand beside it. */
function edits(headers: Headers, wanted: NameTest): readonly HeaderEdit[] {
  const seen = new Set<string>();
  const found: HeaderEdit[] = [];
  headers.forEach((name, value) => {
    if (!wanted(name)) return;
    found.push({ name, value, how: seen.has(name) || name === 'set-cookie' ? 'append' : 'set' });
    seen.add(name);
  });
  return found;
}
