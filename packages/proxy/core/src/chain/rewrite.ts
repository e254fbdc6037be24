import { normalizeHost } from '@tulle/match';
import { targetOf } from '../compile/compile-rewrite.ts';
import type { CompiledPathRewrite, CompiledRewrite, CompiledRoute } from '../compile/compiled.ts';
import type { Stream } from '../stream/stream.ts';
import { appendField } from './append-field.ts';
import { slashesOf } from './escaped-slashes.ts';

/** Gives a request the target that its route says. @param ownHost of the backend, `''` for none. @returns false where no path comes out */
export function rewrite(
  stream: Stream,
  route: CompiledRoute,
  rule: CompiledRewrite | undefined,
  ownHost: string,
): boolean {
  stream.matchedPath = stream.path;
  stream.matchedAuthority = stream.authority;
  const host = ownHost !== '' || rule === undefined ? ownHost : hostBy(stream, rule);
  // What is asked of the server itself (RFC 9112 §3.2.4) has no path.
  const isKept = rule?.path === undefined || rule.path.kind === 'format' || stream.path === '*';
  const path = isKept ? stream.path : rewrittenPath(stream, route, rule.path);
  if (path === '') return false;
  if (host !== '') {
    if (rule?.forwardHost === true) appendField(stream.headers, 'x-forwarded-host', stream.authority);
    stream.authority = host;
  }
  stream.path = path;
  return rule === undefined || rewriteByFormats(stream, rule);
}

/** The host first, which the path may name. @returns false where no path comes out */
function rewriteByFormats(stream: Stream, { hostFormat, forwardHost, path }: CompiledRewrite): boolean {
  if (hostFormat !== undefined) {
    const host = normalizeHost(stream.engine.recorder.describe(stream, hostFormat));
    if (host !== '') {
      if (forwardHost && stream.authority === stream.matchedAuthority)
        appendField(stream.headers, 'x-forwarded-host', stream.authority);
      stream.authority = host;
    }
  }
  if (path?.kind !== 'format' || stream.path === '*') return true;
  const made = formatted(stream, path);
  if (made === '') return false;
  const query = made.indexOf('?');
  if (query >= 0) {
    const own = made.slice(query + 1);
    stream.query = stream.query === undefined ? own : `${own}?${stream.query}`;
  }
  stream.path = query < 0 ? made : made.slice(0, query);
  return true;
}

/** A path, and its query where that is made too; `''`: none comes out. */
function formatted(stream: Stream, { render }: Extract<CompiledPathRewrite, { kind: 'format' }>): string {
  const made = stream.engine.recorder.describe(stream, render);
  return made === '' ? stream.path : targetOf(made, slashesOf(stream.chain.settings));
}

/** The host that a request is given; `''`: it keeps its own. */
function hostBy({ headers, path }: Stream, { host, hostFrom }: CompiledRewrite): string {
  if (host !== undefined) return host;
  if (hostFrom === undefined) return '';
  return normalizeHost(typeof hostFrom === 'string' ? (headers.get(hostFrom) ?? '') : hostFrom(path));
}

/** Gateway API ReplaceFullPath and ReplacePrefixMatch. @returns `''` where no path comes out */
export function rewrittenPath(stream: Stream, route: CompiledRoute, rule: CompiledPathRewrite): string {
  const { path } = stream;
  if (rule.kind === 'made') return rule.make(path, slashesOf(stream.chain.settings));
  if (rule.kind === 'format') return formatted(stream, rule);
  if (rule.kind === 'full') return rule.value === '' ? '/' : rule.value;
  const { prefix, bytesPrefix, ignoreCase } = route;
  const begins = (start: string): boolean =>
    ignoreCase ? path.slice(0, start.length).toLowerCase() === start.toLowerCase() : path.startsWith(start);
  if (bytesPrefix !== undefined && begins(bytesPrefix)) {
    const replaced = rule.value + path.slice(bytesPrefix.length);
    return replaced.startsWith('/') ? replaced : `/${replaced}`;
  }
  // Where no prefix is matched, what matched is the whole path (Envoy `prefix_rewrite`).
  if (prefix === undefined && bytesPrefix === undefined) return rule.value === '' ? '/' : rule.value;
  if (prefix === undefined || !begins(prefix)) return path;
  if (prefix !== '' && path.length > prefix.length && path.charAt(prefix.length) !== '/') return path;
  const rest = path.slice(prefix.length);
  if (rest === '') return rule.value === '' ? '/' : rule.value;
  const base = rule.value.endsWith('/') ? rule.value.slice(0, -1) : rule.value;
  return rest.startsWith('/') ? base + rest : `${base}/${rest}`;
}
