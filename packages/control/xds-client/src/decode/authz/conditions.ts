import type { AuthzSource, AuthzTarget, StringMatch, ValueMatch } from '@tulle/model';
import type { Permission, Principal } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { DecodeContext } from '../context.ts';
import { networksOf } from '../ip-allow.ts';
import { decodeHeaderMatch, decodeStringMatch } from '../matchers.ts';
import { decodeHeaderValue, decodeHost, decodeIdentity, decodeNamespace, decodePath } from './patterns.ts';

type TextMatch = Exclude<StringMatch, { readonly kind: 'present' }>;
type Draft<T> = { -readonly [Key in keyof T]: T[Key] };

/** @returns `undefined` for anybody @param certain whether it must hold beyond doubt, as in an ALLOW */
export function decodeFrom(
  context: DecodeContext,
  principal: Principal,
  certain: boolean,
  path: string,
): AuthzSource | undefined {
  const { identifier } = principal;
  if (identifier.case === 'any' && identifier.value) return undefined;
  const parts = identifier.case === 'andIds' ? identifier.value.ids : [principal];
  const from: Draft<AuthzSource> = {};
  for (const [index, part] of parts.entries()) {
    const here = identifier.case === 'andIds' ? `${path}.and_ids.ids[${index}]` : path;
    const found = sourceOf(context, part, here);
    const [key] = Object.keys(found ?? {}) as (keyof AuthzSource)[];
    if (!found || !key)
      context.refuse(here, 'must be or_ids of authenticated, or of direct_remote_ip, or a not_id of such');
    else if (from[key]) context.refuse(here, 'says the same kind of thing twice');
    else Object.assign(from, found);
  }
  // Whom nobody can place is not allowed by an exception; the control plane says so for Envoy.
  if (certain && from.notIdentities && from.identities?.length === 1 && from.identities[0] === '*')
    delete from.identities;
  return from;
}

function sourceOf(context: DecodeContext, part: Principal, path: string): AuthzSource | undefined {
  if (part.identifier.case === 'notId') {
    const inner = sourceOf(context, part.identifier.value, `${path}.not_id`);
    if (inner?.identities) return { notIdentities: inner.identities };
    return inner?.cidrs && { notCidrs: inner.cidrs };
  }
  const cidrs = networksOf(part.identifier);
  if (cidrs) return { cidrs };
  const list = part.identifier.case === 'orIds' ? part.identifier.value.ids : [part];
  const names = list.map((one, index) => authenticatedAs(context, one, `${path}.or_ids.ids[${index}]`));
  if (names.length === 0 || !names.every((one) => one !== undefined)) return undefined;
  const namespaces = names.map(decodeNamespace);
  if (namespaces.every((one) => one !== undefined)) return { namespaces };
  const identities = names.map(decodeIdentity);
  return identities.every((one) => one !== undefined) ? { identities } : undefined;
}

/** Who proved nothing by a certificate is nobody here, also where Envoy would ask for TLS alone. */
function authenticatedAs(
  context: DecodeContext,
  { identifier }: Principal,
  path: string,
): TextMatch | undefined {
  if (identifier.case !== 'authenticated') return undefined;
  const name = identifier.value.principalName;
  if (!name) return { kind: 'prefix', value: 'spiffe://' };
  const match = decodeStringMatch(context, name, `${path}.authenticated.principal_name`);
  return match.kind === 'present' ? undefined : match;
}

/** @returns `undefined` for anything @param certain whether it must hold beyond doubt, as in an ALLOW */
export function decodeTo(
  context: DecodeContext,
  permission: Permission,
  certain: boolean,
  path: string,
): AuthzTarget | undefined {
  const { rule } = permission;
  if (rule.case === 'any' && rule.value) return undefined;
  const parts = rule.case === 'andRules' ? rule.value.rules : [permission];
  const to: Draft<AuthzTarget> = {};
  for (const [index, part] of parts.entries()) {
    const here = rule.case === 'andRules' ? `${path}.and_rules.rules[${index}]` : path;
    const found = targetOf(context, part, certain, here);
    const [key] = Object.keys(found ?? {}) as (keyof AuthzTarget)[];
    if (!found || !key)
      context.refuse(
        here,
        'must be or_rules of one kind (url_path, destination_port, the header :method or :authority), a header, or a not_rule of such',
      );
    else if (key === 'headers') to.headers = [...(to.headers ?? []), ...(found.headers ?? [])];
    else if (to[key]) context.refuse(here, 'says the same kind of thing twice');
    else Object.assign(to, found);
  }
  return to;
}

function targetOf(
  context: DecodeContext,
  part: Permission,
  certain: boolean,
  path: string,
): AuthzTarget | undefined {
  if (part.rule.case === 'notRule') {
    const inner = targetOf(context, part.rule.value, !certain, `${path}.not_rule`);
    if (inner?.methods) return { notMethods: inner.methods };
    if (inner?.paths) return { notPaths: inner.paths };
    if (inner?.hosts) return { notHosts: inner.hosts };
    return inner?.headers && { headers: inner.headers.map(inverted) };
  }
  const list = part.rule.case === 'orRules' ? part.rule.value.rules : [part];
  const at = (index: number): string =>
    part.rule.case === 'orRules' ? `${path}.or_rules.rules[${index}]` : path;
  const ports = all(list.map(({ rule }) => (rule.case === 'destinationPort' ? rule.value : undefined)));
  if (ports) return { ports };
  const paths = all(
    list.map(({ rule }, index) => {
      const value = rule.case === 'urlPath' ? rule.value.rule.value : undefined;
      const match = value && decodeStringMatch(context, value, `${at(index)}.url_path.path`);
      return match && match.kind !== 'present' ? decodePath(match, certain) : undefined;
    }),
  );
  if (paths) return { paths };
  const headers = all(
    list.map(({ rule }, index) =>
      rule.case === 'header' ? decodeHeaderMatch(context, rule.value, `${at(index)}.header`) : undefined,
    ),
  );
  return headers && headerTarget(headers, certain);
}

function headerTarget(headers: readonly ValueMatch[], certain: boolean): AuthzTarget | undefined {
  const texts = headers.map(({ match, invert }) =>
    match.kind === 'present' || invert === true ? undefined : match,
  );
  if (headers.every(({ name }) => name === ':method')) {
    const methods = all(
      texts.map((one) =>
        one?.kind === 'exact' && !(certain && one.ignoreCase === true) ? one.value : undefined,
      ),
    );
    return methods && { methods };
  }
  if (headers.every(({ name }) => name === ':authority')) {
    const hosts = all(texts.map((one) => one && decodeHost(one)));
    return hosts && { hosts };
  }
  const [only, ...more] = headers;
  if (!only || more.length > 0 || only.name.startsWith(':')) return undefined;
  const { name, match, invert } = only;
  // In Envoy a field that is absent fulfils no inverted condition on its value; in Tulle's words it does. (Tulle's own plane
  // writes not_rule.)
  if (invert === true && match.kind !== 'present') return undefined;
  const one = match.kind !== 'present' && certain === (invert === true);
  const decoded = one ? decodeHeaderValue(match) : match;
  return { headers: [{ name, match: decoded, ...(invert === true && { invert }) }] };
}

type HeaderCondition = NonNullable<AuthzTarget['headers']>[number];

function inverted({ name, match, invert }: HeaderCondition): HeaderCondition {
  return invert === true ? { name, match } : { name, match, invert: true };
}

/** @returns `undefined` for an empty list, and where one is */
function all<T>(list: readonly (T | undefined)[]): readonly T[] | undefined {
  return list.length > 0 && list.every((one) => one !== undefined) ? list : undefined;
}
