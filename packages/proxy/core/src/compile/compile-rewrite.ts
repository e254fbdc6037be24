import {
  type CompileContext,
  type EscapedSlashes,
  normalizeConfiguredPath,
  normalizeHost,
  normalizePath,
  parseTemplateRewrite,
  parseUriTemplate,
  rewriteByTemplate,
} from '@tulle/match';
import type { PathMatch, PathRewrite, RedirectAction, Rewrite } from '@tulle/model';
import { parseFormat, type Render } from '@tulle/record-format';
import { isQuery } from '../stream/request-edits.ts';
import { compileValue } from './compile-edits.ts';
import type { CompiledPathRewrite, CompiledRedirect, CompiledRewrite } from './compiled.ts';

/** Compiles what is changed of a request's target. @param match of the route, whose variables a template may name */
export function compileRewrite(
  rewrite: Rewrite | undefined,
  match: PathMatch,
  path: string,
  context: CompileContext,
): CompiledRewrite | undefined {
  if (rewrite === undefined) return undefined;
  const { host, hostFrom, forwardHost = false } = rewrite;
  if (host !== undefined && hostFrom !== undefined)
    context.issue(`${path}/hostFrom`, 'stands beside host; give one of them');
  return {
    host: compileHost(host, `${path}/host`, context) || undefined,
    hostOfEndpoint: hostFrom?.kind === 'endpoint',
    hostFrom:
      hostFrom?.kind === 'header'
        ? hostFrom.name.toLowerCase()
        : hostFrom?.kind === 'regex'
          ? context.rewrite(hostFrom, `${path}/hostFrom`)
          : undefined,
    hostFormat:
      hostFrom?.kind === 'format'
        ? compileFormat(hostFrom.value, false, `${path}/hostFrom/value`, context)
        : undefined,
    forwardHost,
    path: compilePath(rewrite.path, match, `${path}/path`, context),
  };
}

/** @returns the canonical spelling, `''` for none */
export function compileHost(host: string | undefined, path: string, context: CompileContext): string {
  if (host === undefined) return '';
  const normal = normalizeHost(host);
  if (normal === '') context.issue(path, `${JSON.stringify(host)} is no host name`);
  return normal;
}

/** A full path of a redirect may have a query. */
export function compileRedirect(
  action: RedirectAction,
  match: PathMatch,
  path: string,
  context: CompileContext,
): CompiledRedirect {
  compileHost(action.host, `${path}/host`, context);
  const { path: rewrite, ...others } = action;
  if (rewrite?.kind !== 'full' || !rewrite.value.includes('?'))
    return { ...others, path: compilePath(rewrite, match, `${path}/path`, context) };
  const query = rewrite.value.indexOf('?');
  const text = rewrite.value.slice(query);
  if (!/^[?!$&-;=@-Z_a-z~%]*$/.test(text))
    context.issue(`${path}/path/value`, `${JSON.stringify(text)} has a character that no query may have`);
  const full = compilePath(
    { ...rewrite, value: rewrite.value.slice(0, query) },
    match,
    `${path}/path`,
    context,
  );
  return { ...others, path: full?.kind === 'full' ? { kind: 'full', value: full.value + text } : full };
}

function compilePath(
  rewrite: PathRewrite | undefined,
  match: PathMatch,
  path: string,
  context: CompileContext,
): CompiledPathRewrite | undefined {
  switch (rewrite?.kind) {
    case undefined:
      return undefined;
    case 'regex': {
      if (/[?#]/.test(rewrite.substitution))
        context.issue(`${path}/substitution`, 'has a ? or #; the query stays as it is');
      const replace = context.rewrite(rewrite, path);
      return { kind: 'made', make: (given, slashes) => rooted(replace(given), slashes) };
    }
    case 'template': {
      const template = match.kind === 'template' ? parseUriTemplate(match.value) : undefined;
      if (template === undefined)
        context.issue(path, 'is made of the variables of a template, and the route matches by none');
      if (template === undefined || typeof template === 'string') return undefined;
      const parts = parseTemplateRewrite(rewrite.value, template);
      if (typeof parts === 'string') {
        context.issue(`${path}/value`, parts);
        return undefined;
      }
      return {
        kind: 'made',
        make: (given, slashes) => rooted(rewriteByTemplate(given, template, parts) ?? given, slashes),
      };
    }
    case 'format':
      return {
        kind: 'format',
        render: compileFormat(checkedTarget(rewrite.value, path, context), true, `${path}/value`, context),
      };
    case 'full':
    case 'prefix': {
      const { kind, value } = rewrite;
      const canonical = normalizeConfiguredPath(value);
      if (value !== '' && (!value.startsWith('/') || canonical === ''))
        context.issue(
          `${path}/value`,
          `${JSON.stringify(value)} is no path; it begins with / and has no query, fragment or dot segments`,
        );
      return { kind, value: canonical || value };
    }
  }
}

/** A text with operators. @param omitEmpty nothing in the place of a value that is not there, else `-` */
function compileFormat(format: string, omitEmpty: boolean, path: string, context: CompileContext): Render {
  return compileValue(format, path, { add: (at, message) => context.issue(at, message) }, omitEmpty);
}

/** One that is the same for all requests is looked at here. */
function checkedTarget(format: string, path: string, context: CompileContext): string {
  const parts = parseFormat(format, []);
  if (parts.every(({ kind }) => kind === 'literal')) {
    const text = parts.map((part) => (part.kind === 'literal' ? part.text : '')).join('');
    if (targetOf(text, 'keep') === '')
      context.issue(
        `${path}/value`,
        `${JSON.stringify(text)} is no path, or its query has a character that none may have`,
      );
  }
  return format;
}

/** A path that was put together, in its canonical spelling, with its query where there is one; `''`: it has none. */
export function targetOf(made: string, slashes: EscapedSlashes): string {
  const query = made.indexOf('?');
  if (query < 0) return rooted(made, slashes);
  const path = rooted(made.slice(0, query), slashes);
  return path === '' || !isQuery(made.slice(query)) ? '' : path + made.slice(query);
}

/** A path in its canonical spelling, whatever groups of the request's were put together; `''`: it has none. */
function rooted(path: string, slashes: EscapedSlashes): string {
  return normalizePath(path.startsWith('/') ? path : `/${path}`, slashes);
}
