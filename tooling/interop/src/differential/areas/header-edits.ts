import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { everyHost } from './vocabulary.ts';

/** Fields that routes, virtual hosts and tables add, set and remove, and what the manager does with forwarding fields. */
export const headerEdits: Area = {
  name: 'header-edits',
  short: 80,
  make(chance): Configuration {
    const hasName = chance.maybe(0.6);
    const route = {
      match: { prefix: '/' },
      route: chance.maybe(0.7)
        ? { cluster: 'a' }
        : { weighted_clusters: { clusters: [{ name: 'b', weight: 1, ...edits(chance, 0.5) }] } },
      ...edits(chance, 0.7),
    };
    const manager = managerOf(chance);
    const around = edits(chance, 0.4);
    const outermost = edits(chance, 0.4);
    // A route without a name has one of Tulle's own (docs/guides/envoy-config.md): where it is said, the route brings one.
    const isSaid = JSON.stringify([route, around, outermost]).includes('%ROUTE_NAME%');
    return {
      manager,
      routes: {
        ...everyHost([{ ...route, ...((hasName || isSaid) && { name: 'the-route' }) }], around),
        ...outermost,
        ...(chance.maybe(0.5) && { most_specific_header_mutations_wins: chance.maybe(0.5) }),
      },
      exchanges: Array.from({ length: 7 }, () => request(chance)),
    };
  },
};

const KEYS: readonly string[] = ['x-one', 'x-two', 'X-Three', 'x-new', 'user-agent'];
const RESPONSE_KEYS: readonly string[] = ['x-answer', 'x-two', 'X-Three', 'x-new', 'cache-control'];
const VALUES: readonly string[] = [
  'plain',
  '100%%',
  'a, b',
  '%REQ(x-one)%',
  '%REQ(x-absent)%',
  '[%REQ(:path)%]',
  '%REQ(x-absent?x-one)%',
  '%REQ(x-one):2%',
  '%PROTOCOL%',
  '%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%',
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  '%UPSTREAM_CLUSTER%',
  '%REQ(:authority)%',
  '%REQ(:method)% %REQ(:scheme)%',
  '%ROUTE_NAME%',
  '%HOSTNAME%'.replace('HOSTNAME', 'PROTOCOL'),
];
const RESPONSE_VALUES: readonly string[] = [
  ...VALUES,
  '%RESPONSE_CODE%',
  '%RESP(x-answer)%',
  '%UPSTREAM_HOST%',
  '%RESPONSE_FLAGS%',
];

function edits(chance: Chance, probability: number): Json {
  return {
    ...(chance.maybe(probability) && { request_headers_to_add: additions(chance, KEYS, VALUES) }),
    ...(chance.maybe(probability * 0.5) && {
      request_headers_to_remove: chance.sample(['x-one', 'x-two', 'X-Three', 'accept'], chance.int(1, 2)),
    }),
    ...(chance.maybe(probability) && {
      response_headers_to_add: additions(chance, RESPONSE_KEYS, RESPONSE_VALUES),
    }),
    ...(chance.maybe(probability * 0.5) && {
      response_headers_to_remove: chance.sample(
        ['x-answer', 'x-two', 'server', 'x-origin'],
        chance.int(1, 2),
      ),
    }),
  };
}

/** Each field once, but for additions: Tulle refuses an edit on a condition beside another one of the same field. */
function additions(chance: Chance, keys: readonly string[], values: readonly string[]): Json[] {
  return chance.sample(keys, chance.int(1, 3)).flatMap((key) => {
    const append_action = chance.pick([
      'APPEND_IF_EXISTS_OR_ADD',
      'OVERWRITE_IF_EXISTS_OR_ADD',
      'ADD_IF_ABSENT',
      'OVERWRITE_IF_EXISTS',
      undefined,
    ]);
    const one: Json = {
      header: { key, value: chance.pick(values) },
      ...(append_action === undefined ? {} : { append_action }),
    };
    const again = append_action === 'APPEND_IF_EXISTS_OR_ADD' && chance.maybe(0.3);
    return again ? [one, { header: { key, value: 'again' }, append_action }] : [one];
  });
}

function managerOf(chance: Chance): Json {
  return {
    ...(chance.maybe(0.3) && { use_remote_address: true }),
    ...(chance.maybe(0.2) && { xff_num_trusted_hops: chance.int(1, 2) }),
    ...(chance.maybe(0.15) && { skip_xff_append: true }),
    ...(chance.maybe(0.2) && { append_x_forwarded_port: true }),
    ...(chance.maybe(0.2) && { via: 'proxy-one' }),
    ...(chance.maybe(0.2) && { generate_request_id: false }),
    ...(chance.maybe(0.2) && { preserve_external_request_id: true }),
    ...(chance.maybe(0.2) && { always_set_request_id_in_response: true }),
    ...(chance.maybe(0.3) && {
      server_header_transformation: chance.pick(['OVERWRITE', 'APPEND_IF_ABSENT', 'PASS_THROUGH']),
    }),
    ...(chance.maybe(0.2) && { server_name: 'gate' }),
    ...(chance.maybe(0.15) && {
      common_http_protocol_options: {
        headers_with_underscores_action: chance.pick(['REJECT_REQUEST', 'DROP_HEADER', 'ALLOW']),
      },
    }),
  };
}

function request(chance: Chance): Exchange {
  const fields: Field[] = [];
  const put = (probability: number, name: string, values: readonly string[]): void => {
    if (chance.maybe(probability)) fields.push([name, chance.pick(values)]);
  };
  put(0.5, 'x-one', ['first', '', 'a, b']);
  put(0.15, 'x-one', ['second']);
  put(0.4, 'x-two', ['2']);
  put(0.3, 'x-three', ['3']);
  put(0.4, 'user-agent', ['client/1.0']);
  put(0.3, 'accept', ['text/plain']);
  put(0.2, 'x-forwarded-for', ['10.1.1.1', '8.8.8.8, 10.0.0.2', '8.8.8.8']);
  put(0.15, 'x-forwarded-proto', ['https', 'http']);
  put(0.15, 'x-request-id', ['mine', '123e4567-e89b-42d3-a456-426614174000']);
  put(0.1, 'x_under', ['line']);
  put(0.1, 'via', ['1.1 before']);
  put(0.1, 'x-envoy-decorator-operation', ['x']);
  put(0.1, 'x-envoy-internal', ['true']);
  put(0.1, 'x-envoy-retry-on', ['5xx']);
  put(0.1, 'connection', ['x-two', 'close', 'keep-alive']);
  put(0.1, 'te', ['trailers', 'gzip']);
  put(0.1, 'keep-alive', ['timeout=5']);
  put(0.1, 'proxy-connection', ['keep-alive']);
  put(0.1, 'upgrade', ['h2c']);
  put(0.1, 'x-forwarded-port', ['99']);
  put(0.1, 'x-forwarded-host', ['before.test']);
  put(0.1, 'forwarded', ['for=1.2.3.4']);
  put(0.1, 'cookie', ['a=1; b=2']);
  const answer: Field[] = [];
  if (chance.maybe(0.5)) answer.push(['X-Answer', chance.pick(['one', 'a, b', ''])]);
  if (chance.maybe(0.3)) answer.push(['x-two', 'answer']);
  if (chance.maybe(0.3)) answer.push(['Server', 'origin/1']);
  if (chance.maybe(0.3)) answer.push(['set-cookie', 'a=1'], ['set-cookie', 'b=2']);
  if (chance.maybe(0.2)) answer.push(['cache-control', 'no-store']);
  if (chance.maybe(0.1)) answer.push(['via', '1.1 origin']);
  if (chance.maybe(0.1)) answer.push(['connection', 'x-two']);
  return {
    path: chance.pick(['/', '/a?b=c', '/long/path']),
    headers: fields,
    answers: { a: [{ headers: answer }], b: [{ headers: answer }] },
    ...(chance.maybe(0.2) && {
      method: 'POST',
      body: 'body',
      ...(chance.maybe(0.4) && {
        chunked: true,
        ...(chance.maybe(0.5) && { trailers: [['x-trailer', 't']] as const }),
      }),
    }),
  };
}
