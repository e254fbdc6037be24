import { type CelIssue, loadedCelEngine, NO_CEL_ENGINE, STREAM_ATTRIBUTES } from '@tulle/cel';
import { DYNAMIC_METADATA, pseudoHeader, type HttpStream } from '@tulle/filter';
import {
  compileCidrs,
  compileHeaderMatch,
  type CompileContext,
  compileQueryMatch,
  compileStringMatch,
  firstQueryValue,
  maskAddress,
} from '@tulle/match';
import type { RateLimitAction, ValueMatch } from '@tulle/model';
import { compilePlain, metadataAt, type Render } from '@tulle/record-format';

/** One entry of a descriptor. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** An action that adds an entry, nothing (`undefined`), or takes the descriptor away (`null`). */
export type Step = (stream: HttpStream) => Entry | undefined | null;

/** Longer values are no descriptor: counters are kept by value, here or at a service. */
const MAX_VALUE_LENGTH = 1_024;

export function compileAction(action: RateLimitAction, context: CompileContext, path: string): Step {
  switch (action.kind) {
    case 'source-cluster':
      return ({ request }) =>
        entry('source_cluster', request.headers.get('x-envoy-downstream-service-cluster') ?? '');
    case 'destination-cluster':
      return ({ route }) =>
        route?.cluster === undefined ? null : entry('destination_cluster', route.cluster);
    case 'remote-address':
      return ({ connection }) =>
        connection.remoteAddress === '' ? null : entry('remote_address', connection.remoteAddress);
    case 'masked-remote-address': {
      const { v4Bits = 32, v6Bits = 128 } = action;
      return ({ connection }) => {
        const network = maskAddress(connection.remoteAddress, v4Bits, v6Bits);
        return network === undefined ? null : entry('masked_remote_address', network);
      };
    }
    case 'header': {
      const name = action.name.toLowerCase();
      const absent = action.optional === true ? undefined : null;
      return ({ request }) => {
        const value = pseudoHeader(request, name) ?? request.headers.get(name);
        return value === undefined ? absent : entry(action.key, value);
      };
    }
    case 'query': {
      const absent = action.optional === true ? undefined : null;
      return ({ request: { query } }) => {
        const value = query === undefined ? undefined : firstQueryValue(query, action.name);
        return value === undefined ? absent : entry(action.key, value);
      };
    }
    case 'address-match': {
      const { key = 'remote_address_match', value, fallback = '', expect: expected = true } = action;
      const made = { key, value };
      const render = action.format === true ? compileFormat(value, context, `${path}/value`) : undefined;
      const networks = compileCidrs(action.cidrs, context, `${path}/cidrs`);
      return (stream) => {
        const { remoteAddress } = stream.connection;
        if (remoteAddress === '' || networks.has(remoteAddress) !== expected) return null;
        return render === undefined ? made : entry(key, stream.describe(render) || fallback);
      };
    }
    case 'cel':
      return compileCel(action, context, `${path}/cel`);
    case 'generic': {
      const made = { key: action.key ?? 'generic_key', value: action.value };
      return () => made;
    }
    case 'header-match': {
      const made = { key: action.key ?? 'header_match', value: action.value };
      const tests = action.headers.map((one, index) => headerTest(one, context, `${path}/headers/${index}`));
      const expected = action.expect ?? true;
      return ({ request }) => (tests.every((test) => test(request)) === expected ? made : null);
    }
    case 'query-match': {
      const made = { key: action.key ?? 'query_match', value: action.value };
      const tests = action.query.map((one, index) =>
        compileQueryMatch(one, context, `${path}/query/${index}`),
      );
      const expected = action.expect ?? true;
      return ({ request }) => (tests.every((test) => test(request.query)) === expected ? made : null);
    }
    case 'metadata': {
      const way = [action.namespace, ...action.path];
      const absent = action.optional === true ? undefined : null;
      return (stream) => {
        const found = metadataAt(stream.get(DYNAMIC_METADATA), way);
        // Texts alone are values of descriptors.
        const value = typeof found === 'string' ? found : (action.fallback ?? '');
        return value === '' ? absent : entry(action.key, value);
      };
    }
  }
}

/** Also of `:path`, `:method` and the like, which routes cannot look at. */
function headerTest(
  condition: ValueMatch,
  context: CompileContext,
  path: string,
): (request: HttpStream['request']) => boolean {
  const name = condition.name.toLowerCase();
  if (!name.startsWith(':')) {
    const test = compileHeaderMatch(condition, context, path);
    return ({ headers }) => test(headers);
  }
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  return (request) => {
    const value = pseudoHeader(request, name);
    return (value !== undefined && test(value)) !== (condition.invert === true);
  };
}

function entry(key: string, value: string): Entry | null {
  return value === '' || value.length > MAX_VALUE_LENGTH ? null : { key, value };
}

/** A text with operators of access logs, of which those without a value come to nothing. */
export function compileFormat(format: string, context: CompileContext, path: string): Render {
  return compilePlain(format, { omitEmpty: true, maxFieldChars: MAX_VALUE_LENGTH }, (message) =>
    context.issue(path, message),
  );
}

/** What comes to an empty text is an entry all the same, as in Envoy. */
function compileCel(
  { key, cel, optional }: Extract<RateLimitAction, { readonly kind: 'cel' }>,
  context: CompileContext,
  path: string,
): Step {
  const engine = loadedCelEngine();
  if (engine === undefined) context.issue(path, NO_CEL_ENGINE);
  const faults: CelIssue[] = [];
  const expression = engine?.compile(cel, STREAM_ATTRIBUTES, faults);
  for (const { at, message } of faults) context.issue(path, `column ${at + 1}: ${message}`);
  const absent = optional === true ? undefined : null;
  return (stream) => {
    const value = expression?.text({ connection: stream.connection, stream });
    if (value === undefined) return absent;
    return value.length > MAX_VALUE_LENGTH ? null : { key, value };
  };
}
