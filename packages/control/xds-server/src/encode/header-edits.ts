import { create } from '@bufbuild/protobuf';
import type { HeaderEdits, HeaderValue, RouteHeaderEdits, RouteHeaderValue } from '@tulle/model';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction as AppendAction,
  HeaderValueOptionSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { ClientRelease } from './form.ts';

export function encodeSet(field: HeaderValue): HeaderValueOption {
  return option(field, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD);
}

export function encodeAdd(field: HeaderValue): HeaderValueOption {
  return option(field, AppendAction.APPEND_IF_EXISTS_OR_ADD);
}

type Way = 'set' | 'setIfPresent' | 'add' | 'addIfAbsent';

const WAYS: Readonly<Record<Way, AppendAction>> = {
  set: AppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  setIfPresent: AppendAction.OVERWRITE_IF_EXISTS,
  add: AppendAction.APPEND_IF_EXISTS_OR_ADD,
  addIfAbsent: AppendAction.ADD_IF_ABSENT,
};

/** Of filters: in Envoy every value is a format, here none is. */
export function encodeField({ name, value }: HeaderValue, way: Way): HeaderValueOption {
  return option({ name, value: value.replaceAll('%', '%%') }, WAYS[way]);
}

/** Of local replies. */
export function encodeToAdd(edits: HeaderEdits | undefined): HeaderValueOption[] {
  return [...(edits?.set ?? []).map(encodeSet), ...(edits?.add ?? []).map(encodeAdd)];
}

/** The fields by which a backend, a route, a virtual host or a configuration edits headers. */
export function encodeEditsOf(
  {
    requestHeaders,
    responseHeaders,
  }: { readonly requestHeaders?: RouteHeaderEdits; readonly responseHeaders?: RouteHeaderEdits },
  release: ClientRelease,
): {
  requestHeadersToAdd: HeaderValueOption[];
  requestHeadersToRemove: string[];
  responseHeadersToAdd: HeaderValueOption[];
  responseHeadersToRemove: string[];
} {
  return {
    requestHeadersToAdd: routeEdits(requestHeaders, release),
    requestHeadersToRemove: [...(requestHeaders?.remove ?? [])],
    responseHeadersToAdd: routeEdits(responseHeaders, release),
    responseHeadersToRemove: [...(responseHeaders?.remove ?? [])],
  };
}

/** Fields that are put; what is removed stands elsewhere, and goes first. */
export function routeEdits(edits: RouteHeaderEdits | undefined, release: ClientRelease): HeaderValueOption[] {
  const list = (fields: readonly RouteHeaderValue[] = [], action: AppendAction): HeaderValueOption[] =>
    fields.map(({ name, value, format }) => {
      // In Envoy every value is a format. A client of the release before takes it as it stands.
      const written = format === true || release === 'before' ? value : value.replaceAll('%', '%%');
      const made = option({ name, value: written }, action);
      made.keepEmptyValue = value === '' && format !== true;
      return made;
    });
  return [
    ...list(edits?.set, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...list(edits?.setIfPresent, AppendAction.OVERWRITE_IF_EXISTS),
    ...list(edits?.add, AppendAction.APPEND_IF_EXISTS_OR_ADD),
    ...list(edits?.addIfAbsent, AppendAction.ADD_IF_ABSENT),
  ];
}

function option({ name, value }: HeaderValue, appendAction: AppendAction): HeaderValueOption {
  // Values are octets as latin1 text; what is not ASCII must not turn into UTF-8 on the way.
  const header = isAscii(value)
    ? { key: name, value }
    : { key: name, rawValue: Buffer.from(value, 'latin1') };
  return create(HeaderValueOptionSchema, { header, appendAction, keepEmptyValue: value === '' });
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
