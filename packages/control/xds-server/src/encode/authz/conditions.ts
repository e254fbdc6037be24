import { create } from '@bufbuild/protobuf';
import {
  type Permission,
  PermissionSchema,
  type Principal,
  PrincipalSchema,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { StringMatch } from '@tulle/model';
import { isCidr, peersIn } from '../ip-allow.ts';
import { encodeHeaderMatch, encodeStringMatch } from '../matchers.ts';
import { hasOnly, isInteger, isObject } from '../shape.ts';
import { need } from '../inexpressible.ts';
import {
  encodeHeaderValue,
  encodeHost,
  encodeIdentity,
  encodeNamespace,
  encodePath,
  exactPath,
  unquoted,
} from './patterns.ts';

type TextMatch = Exclude<StringMatch, { readonly kind: 'present' }>;

const FROM = ['identities', 'notIdentities', 'namespaces', 'cidrs', 'notCidrs'] as const;

/**
 * Who judges by what is written: a proxy, whose origins may take a path in several readings, or a gRPC server, which finds a
 * method by its exact path; and of gRPC's implementations not all read `\\Q…\\E`.
 */
export type Reader = 'proxy' | 'grpc';

/** Who calls. @param certain whether it must hold beyond doubt, as in an ALLOW */
export function encodeFrom(from: unknown, certain: boolean, reader: Reader): Principal {
  if (from === undefined) return create(PrincipalSchema, { identifier: { case: 'any', value: true } });
  need(isObject(from) && hasOnly(from, FROM) && Object.keys(from).length > 0);
  const parts: Principal[] = [];
  const identities = (list: unknown): Principal =>
    anyOf(list, (one) => authenticated(encodeIdentity(one), reader));
  if (from['identities'] !== undefined) parts.push(identities(from['identities']));
  if (from['notIdentities'] !== undefined) {
    // Who proved nothing might be anybody: that is enough to deny and not enough to allow.
    if (certain && from['identities'] === undefined) parts.push(identities(['*']));
    parts.push(notId(identities(from['notIdentities'])));
  }
  if (from['namespaces'] !== undefined)
    parts.push(anyOf(from['namespaces'], (one) => authenticated(encodeNamespace(one), reader)));
  if (from['cidrs'] !== undefined) parts.push(networks(from['cidrs']));
  if (from['notCidrs'] !== undefined) parts.push(notId(networks(from['notCidrs'])));
  const [only, ...more] = parts;
  if (only && more.length === 0) return only;
  return create(PrincipalSchema, { identifier: { case: 'andIds', value: { ids: parts } } });
}

function authenticated(name: TextMatch, reader: Reader): Principal {
  return create(PrincipalSchema, {
    identifier: {
      case: 'authenticated',
      value: { principalName: encodeStringMatch(forReader(name, reader)) },
    },
  });
}

function networks(cidrs: unknown): Principal {
  need(isFilled(cidrs) && cidrs.every(isCidr));
  return peersIn(cidrs);
}

function anyOf(list: unknown, encode: (one: unknown) => Principal): Principal {
  need(isFilled(list));
  return create(PrincipalSchema, { identifier: { case: 'orIds', value: { ids: list.map(encode) } } });
}

function notId(principal: Principal): Principal {
  return create(PrincipalSchema, { identifier: { case: 'notId', value: principal } });
}

function isFilled(list: unknown): list is readonly unknown[] {
  return Array.isArray(list) && list.length > 0;
}

const TO = ['methods', 'notMethods', 'paths', 'notPaths', 'hosts', 'notHosts', 'ports', 'headers'] as const;

/** What is called. @param certain whether it must hold beyond doubt, as in an ALLOW */
export function encodeTo(to: unknown, certain: boolean, reader: Reader): Permission {
  if (to === undefined) return create(PermissionSchema, { rule: { case: 'any', value: true } });
  need(isObject(to) && hasOnly(to, TO) && Object.keys(to).length > 0);
  const parts: Permission[] = [];
  const both = (
    holds: unknown,
    holdsNot: unknown,
    encode: (one: unknown, sure: boolean) => Permission,
  ): void => {
    if (holds !== undefined) parts.push(oneOf(holds, (one) => encode(one, certain)));
    // Certainly not when not even possibly.
    if (holdsNot !== undefined) parts.push(notRule(oneOf(holdsNot, (one) => encode(one, !certain))));
  };
  both(to['methods'], to['notMethods'], encodeMethod);
  both(to['paths'], to['notPaths'], (one, sure) =>
    create(PermissionSchema, {
      rule: {
        case: 'urlPath',
        value: {
          rule: {
            case: 'path',
            value: encodeStringMatch(reader === 'grpc' ? exactPath(one) : encodePath(one, sure)),
          },
        },
      },
    }),
  );
  both(to['hosts'], to['notHosts'], (one) => header(':authority', forReader(encodeHost(one), reader)));
  if (to['ports'] !== undefined) parts.push(oneOf(to['ports'], encodePort));
  if (to['headers'] !== undefined) {
    need(Array.isArray(to['headers']) && to['headers'].length > 0);
    for (const condition of to['headers']) parts.push(encodeHeader(condition, certain, reader));
  }
  const [only, ...more] = parts;
  if (only && more.length === 0) return only;
  return create(PermissionSchema, { rule: { case: 'andRules', value: { rules: parts } } });
}

/** Methods have a case; an origin that is lenient about that is met by a DENY too. */
function encodeMethod(method: unknown, certain: boolean): Permission {
  need(typeof method === 'string' && /^[!#$%&'*+.^`|~\w-]+$/.test(method));
  return header(':method', { kind: 'exact', value: method, ...(certain ? {} : { ignoreCase: true }) });
}

function encodePort(port: unknown): Permission {
  need(isInteger(port, 0, 65_535));
  return create(PermissionSchema, { rule: { case: 'destinationPort', value: port } });
}

const KINDS: readonly unknown[] = ['exact', 'prefix', 'suffix', 'contains'];

function encodeHeader(condition: unknown, certain: boolean, reader: Reader): Permission {
  need(isObject(condition) && hasOnly(condition, ['name', 'match', 'invert']));
  const { name, match, invert } = condition;
  need(typeof name === 'string' && /^[!#$%&'*+.^`|~\w-]+$/.test(name));
  need(isObject(match) && hasOnly(match, ['kind', 'value', 'ignoreCase']));
  const { kind, value, ignoreCase } = match;
  need([undefined, true, false].includes(invert as boolean | undefined));
  need([undefined, true, false].includes(ignoreCase as boolean | undefined));
  const inverted = invert === true;
  let holds: Permission;
  if (kind === 'present') {
    need(hasOnly(match, ['kind']));
    holds = header(name, { kind });
  } else {
    need(KINDS.includes(kind) && typeof value === 'string' && certain === inverted);
    holds = header(name, forReader(encodeHeaderValue(match as unknown as TextMatch), reader));
  }
  return inverted ? notRule(holds) : holds;
}

function header(name: string, match: StringMatch): Permission {
  return create(PermissionSchema, { rule: { case: 'header', value: encodeHeaderMatch({ name, match }) } });
}

function forReader(match: TextMatch, reader: Reader): TextMatch {
  return reader === 'grpc' ? unquoted(match) : match;
}

function oneOf(list: unknown, encode: (one: unknown) => Permission): Permission {
  need(isFilled(list));
  return create(PermissionSchema, { rule: { case: 'orRules', value: { rules: list.map(encode) } } });
}

function notRule(permission: Permission): Permission {
  return create(PermissionSchema, { rule: { case: 'notRule', value: permission } });
}
